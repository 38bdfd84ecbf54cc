"""plain_text: a reply for channels that show neither cards nor buttons. Pure."""

from collections.abc import Iterable

from schemas.chat import Card, FactProof, PassageProof, QuickReply
from services.lib.answering.draft import card_line, lowest


def plain_text(
    text: str,
    cards: Iterable[Card],
    quick_replies: Iterable[QuickReply],
    language: str,
    proofs: Iterable[FactProof | PassageProof] = (),
) -> str:
    """The text, a line for each card with its link, and the quick replies as a list to answer with."""
    lines = [text]
    least = lowest(proofs)
    lines += [f"• {card_line(card, language, lowest=card.sku in least)}: {card.url}" for card in cards]
    lines += [f"- {reply.title}" for reply in quick_replies]
    return "\n".join(lines)
