"""Writes a network as an int8 ONNX graph of about 23 MB.

- Linear layers: ONNX Runtime's dynamic quantisation, per channel, weights in 7 bits (`reduce_range`): CPUs without
  VNNI add pairs of products in 16 bits, which 8-bit weights overflow.
- Word vectors: int8 with a scale a row. ONNX Runtime would give the whole table one scale, set by its largest row.
"""

import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

OPSET = 17


class RowQuantised(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, absent where types are checked
    """An embedding table in int8, symmetric, with a scale a row."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        scale = table.abs().amax(dim=1, keepdim=True).clamp(min=1e-9) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("rows", torch.round(table / scale).to(torch.int8))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.rows[ids].to(torch.float32) * self.scale[ids]


def export(network: torch.nn.Module, outputs: dict[str, int], target: Path) -> None:
    """Write `network`, a BERT under `.encoder`, with inputs (input_ids, attention_mask) and the named `outputs`.

    `outputs` says of each how many of its axes follow the input (1: batch; 2: batch and tokens). The network's word
    vectors are replaced in place.
    """
    words = network.encoder.embeddings.word_embeddings
    network.encoder.embeddings.word_embeddings = RowQuantised(words.weight.detach())
    axes = {0: "batch", 1: "tokens"}
    ids = torch.ones(2, 7, dtype=torch.long)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.onnx"
        torch.onnx.export(
            network.eval(),
            (ids, torch.ones_like(ids)),
            str(full),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=list(outputs),
            dynamic_axes={
                "input_ids": axes,
                "attention_mask": axes,
                **{name: {axis: axes[axis] for axis in range(count)} for name, count in outputs.items()},
            },
        )
        quantize_dynamic(
            full,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )


def append_softmax(path: Path, logits: str, probabilities: str, temperature: float) -> None:
    """Add `probabilities` = softmax(`logits` / temperature) to the outputs of the graph at `path`."""
    model = onnx.load(path)
    graph = model.graph
    graph.initializer.append(onnx.helper.make_tensor("temperature", onnx.TensorProto.FLOAT, [], [temperature]))
    graph.node.append(onnx.helper.make_node("Div", [logits, "temperature"], ["calibrated"]))
    graph.node.append(onnx.helper.make_node("Softmax", ["calibrated"], [probabilities], axis=-1))
    source = next(output for output in graph.output if output.name == logits)
    added = graph.output.add()
    added.CopyFrom(source)
    added.name = probabilities
    onnx.checker.check_model(model)
    onnx.save(model, path)
