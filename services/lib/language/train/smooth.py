"""SmoothQuant (Xiao et al. 2023): moves the spread of a linear layer's inputs into its weights before quantisation.

Dynamic quantisation gives an input tensor one scale, and in MiniLM a few channels are ten times the median. Dividing
each channel by a factor and multiplying the weight's column by it changes nothing in fp32.
"""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

FLOOR = 1e-5


class SmoothLinear(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, absent where types are checked
    """`linear` on inputs divided by `factors`, its weights multiplied by them."""

    def __init__(self, linear: torch.nn.Linear, factors: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("inverse", 1 / factors)
        self.linear = linear
        linear.weight.data = linear.weight.data * factors

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.linear(inputs * self.inverse)


def smooth(network: torch.nn.Module, tokenizer: Tokenizer, texts: Sequence[str], strength: float) -> None:
    """Replace each linear layer of `network.encoder` in place, by the largest inputs that `texts` give it.

    `strength`, the paper's alpha, is how much of the spread goes into the weights: high here, where they have a scale
    per output.
    """
    largest: dict[str, torch.Tensor] = {}

    def record(name: str, inputs: torch.Tensor) -> None:
        peak = inputs.detach().abs().flatten(0, -2).amax(0)
        largest[name] = torch.maximum(largest[name], peak) if name in largest else peak

    linears = {name: layer for name, layer in network.encoder.named_modules() if isinstance(layer, torch.nn.Linear)}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: record(name, inputs[0]))
        for name, layer in linears.items()
    ]
    network.eval()
    with torch.inference_mode():
        for encoding in tokenizer.encode_batch(list(texts)):
            ids = torch.tensor([encoding.ids])
            network(ids, torch.ones_like(ids))
    for hook in hooks:
        hook.remove()
    for name, layer in linears.items():
        columns = layer.weight.detach().abs().amax(0)
        factors = largest[name].clamp(min=FLOOR) ** strength / columns.clamp(min=FLOOR) ** (1 - strength)
        parent, _, attribute = name.rpartition(".")
        setattr(network.encoder.get_submodule(parent), attribute, SmoothLinear(layer, factors.clone()))
