"""This project's own support messages (`support_messages.tsv`: batch TAB label TAB text), written for the purpose.

They teach what tweets do not: that a customer who reports a problem politely is not angry, and that "cancel",
"broken" and "missing" are business here. Two batches are held back, each over all subjects.
"""

from pathlib import Path

from services.lib.language.normalise import normalise
from services.lib.language.train.tweets import LABELS, Example

FILE = Path(__file__).parent / "support_messages.tsv"
HELD_BACK = "held-back"


def read_support(*, held_back: bool) -> list[Example]:
    """The batches to train on, or those to measure on; English."""
    rows = [line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines()]
    return [
        Example(normalise(text), LABELS.index(label))
        for batch, label, text in rows
        if batch.startswith(HELD_BACK) == held_back
    ]
