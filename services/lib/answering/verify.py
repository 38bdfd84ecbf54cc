"""verify: refuses a draft that says anything its proofs do not. Pure.

The method is subtraction. From each claim everything is taken away that its proofs say, word for word (a
name, a date, a quotation, a value); amounts, stock words and order states are compared with theirs by value.
What is left over must hold nothing that can be checked: no figure, no word of stock. The same holds for the
text outside all claims. So a figure that was altered anywhere is left over and refuses the draft, whoever
wrote it.
"""

import datetime as dt
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, get_args

from babel.dates import format_date

from schemas.chat import LIVE_FACTS, Card, Claim, FactProof, PassageProof, QuickReply
from schemas.money import Money
from services.lib.answering.draft import CATALOGUE, IN, OUT, SINGLE, ClaimKind, card_line, lowest, price_value
from services.lib.answering.lexicon import lexicon
from services.lib.answering.prices import amount_of, currencies_of
from services.lib.answering.returns import surely_inside
from services.lib.answering.texts import money, say
from services.lib.index.terms import fold
from services.lib.shop.facts import is_proof

Proofs = Sequence[FactProof | PassageProof]

_NUMBER = r"\d+(?:[.,'’\s]\d{3})*(?:[.,]\d+)?"
_WHITE = re.compile(r"\s+")
_STATES = (
    "new",
    "pending_payment",
    "payment_review",
    "processing",
    "complete",
    "closed",
    "canceled",
    "holded",
    "partly",
)


RefusedKind = Literal[ClaimKind, "card", "text"]
REFUSED_KINDS: tuple[RefusedKind, ...] = (*get_args(ClaimKind), "card", "text")


class Refused(NamedTuple):
    """Something said without proof."""

    kind: RefusedKind
    """Of the claim; `card` or `text` where what says it is no claim."""
    why: str
    """Without personal data."""


def verify(
    text: str,
    cards: Sequence[Card],
    quick_replies: Sequence[QuickReply],
    claims: Sequence[Claim],
    proofs: Proofs,
    language: str,
    now: datetime,
) -> list[Refused]:
    """What is refused, each claim at most once; empty where every claim is proven."""
    refused: list[Refused] = []
    for i, claim in enumerate(claims):
        if problems := _claim(claim, proofs, language, now):
            refused.append(Refused(claim.kind, f"claim {i}: {', '.join(problems)}"))
    for i, card in enumerate(cards):
        if problems := _card(card, proofs, now):
            refused.append(Refused("card", f"card {i}: {', '.join(problems)}"))
    least = lowest(proofs)
    shown = [_plain(card_line(card, language, lowest=card.sku in least)) for card in cards]
    lines = {*shown, *(_plain(reply.title) for reply in quick_replies)}
    outside = _plain(text)
    for claim in sorted(claims, key=lambda one: len(one.text), reverse=True):
        said = _plain(claim.text)
        if said in outside:
            outside = outside.replace(said, " ", 1)
        elif said not in lines:
            refused.append(Refused(claim.kind, "a claim is not what the reply says"))
    claimed = {_plain(claim.text) for claim in claims}
    refused += [Refused("card", "a card claims nothing") for line in shown if line not in claimed]
    for url in {proof.url for proof in proofs if isinstance(proof, PassageProof) and proof.url}:
        outside = _without(outside, url)
    refused += [Refused("text", f"outside all claims: {found}") for found in _checkable(outside)]
    return refused


def expired(proofs: Proofs, now: datetime) -> bool:
    """Whether a live fact among these is too old to be said at `now`."""
    return any(proof.kind in LIVE_FACTS and not is_proof(proof.read_at, now) for proof in proofs)


def _claim(claim: Claim, proofs: Proofs, language: str, now: datetime) -> list[str]:
    if not claim.proofs or any(not 0 <= number < len(proofs) for number in claim.proofs):
        return ["it has no proof"]
    own = [proofs[number] for number in claim.proofs]
    problems = _freshness(own, now)
    if not any(_supports(claim.kind, proof) for proof in own):
        problems.append(f"no proof of kind {claim.kind}")
    whole = rest = _plain(claim.text)
    for proof in own:
        said = [one for one in _renderings(proof, language) if _stands_in(one, whole)]
        rule = claim.kind == "order" and isinstance(proof, PassageProof)
        if rule:
            problems += _inside(proof, own, now)
        elif not said and _must_be_said(proof):
            problems.append("a proof says something else")
        for one in sorted(said, key=len, reverse=True):
            # A name may be said twice; of a value, each proof covers one place.
            rest = _without(rest, one, 0 if proof.kind == "product" else 1)
    rest, amounts = _amounts(rest, own, language)
    problems += amounts
    rest, versions = _versions(rest, own, language)
    problems += versions
    rest, stock = _stock(rest, own)
    problems += stock
    problems += _states(rest, own, language) if claim.kind == "order" else []
    problems += [f"unproven {found}" for found in _checkable(rest)]
    return problems


def _inside(rule: FactProof | PassageProof, own: Proofs, now: datetime) -> list[str]:
    """An order's claim that rests on a rule says that the order is inside its period: worked out again."""
    placed = [
        p.value.removeprefix("created ") for p in own if isinstance(p, FactProof) and p.value.startswith("created ")
    ]
    try:
        dates = [datetime.combine(dt.date.fromisoformat(one), dt.time(), dt.UTC) for one in placed]
    except ValueError:
        dates = []
    quote = rule.quote if isinstance(rule, PassageProof) else ""
    inside = bool(dates) and all(surely_inside(quote, one, now) for one in dates)
    return [] if inside else ["the rule does not prove it"]


def _supports(kind: str, proof: FactProof | PassageProof) -> bool:
    if isinstance(proof, PassageProof):
        return kind in ("policy", "delivery")
    return proof.kind == kind or (kind == "delivery" and proof.kind == "order")


def _freshness(own: Proofs, now: datetime) -> list[str]:
    if any(proof.read_at - now > timedelta(minutes=1) for proof in own):
        return ["a proof is from the future"]
    return ["a fact is older than 15 minutes"] if expired(own, now) else []


def _must_be_said(proof: FactProof | PassageProof) -> bool:
    """Amounts, stock and states are compared by value instead."""
    return (
        isinstance(proof, PassageProof)
        or (proof.kind in ("product", "attribute") and proof.value != SINGLE)
        or proof.value.startswith(("created ", "shipped ", "track ", "items "))
    )


def _renderings(proof: FactProof | PassageProof, language: str) -> list[str]:
    """What a proof allows to be said word for word."""
    if isinstance(proof, PassageProof):
        return [proof.quote, proof.title]
    if proof.kind == "attribute" and proof.value != SINGLE:
        value = proof.value.partition(": ")[2] or proof.value
        return [proof.value, proof.value.rstrip("."), value, value.rstrip(".")]
    if proof.subject == CATALOGUE:
        return proof.value.split(", ")
    if proof.kind == "product":
        return [proof.value]
    if proof.kind == "order":
        return _order_renderings(proof, language)
    return []


def _order_renderings(proof: FactProof, language: str) -> list[str]:
    field, _, value = proof.value.partition(" ")
    if field in ("created", "shipped"):
        try:
            return [format_date(dt.date.fromisoformat(value), format="long", locale=language), proof.subject]
        except ValueError:
            return [proof.subject]
    if field == "track":
        words = value.split(" ")
        return [value, " ".join(words[:-1]), *words[-2:], proof.subject]
    return [value, proof.subject] if field == "items" else [proof.subject]


def _amounts(rest: str, own: Proofs, language: str) -> tuple[str, list[str]]:
    """Every amount with a currency must be one of the proofs', to the cent and in the currency."""
    proven = [found for proof in own if (found := _money(proof)) is not None]
    used: set[int] = set()
    problems: list[str] = []

    def check(match: re.Match[str]) -> str:
        amount = amount_of(match["number"] or match["number2"])
        currencies = currencies_of(match["before"] or match["after"])
        for number, price in enumerate(proven):
            if price.amount == amount and price.currency in currencies:
                used.add(number)
                return " "
        problems.append("an amount differs from the price that was read")
        return " "

    for number, price in enumerate(proven):
        written = _plain(money(price, language))
        if _stands_in(written, rest):
            used.add(number)
            rest = _without(rest, written)
    rest = _amount_pattern().sub(check, rest)
    if proven and not used and not problems:
        problems.append("an amount that was read is not what is said")
    return rest, problems


def _money(proof: FactProof | PassageProof) -> Money | None:
    if isinstance(proof, PassageProof) or proof.kind not in ("price", "order"):
        return None
    value = proof.value.removeprefix("total ") if proof.kind == "order" else proof.value
    if proof.kind == "order" and value == proof.value:
        return None
    number, _, currency = value.partition(" ")
    try:
        return Money(amount=Decimal(number), currency=currency)
    except (ArithmeticError, ValueError):
        return None


def _amount_pattern() -> re.Pattern[str]:
    signs = "|".join(
        sorted((s for names in lexicon().currencies.values() for s in names.split("|")), key=len, reverse=True)
    )
    return re.compile(
        rf"(?:(?P<before>(?<![a-z]){signs})\s?(?P<number>{_NUMBER}))"
        rf"|(?:(?P<number2>{_NUMBER})\s?(?P<after>{signs})(?![a-z]))"
    )


def _stock(rest: str, own: Proofs) -> tuple[str, list[str]]:
    """Every word of stock must say what the proofs say, and no proof may say the opposite."""
    said: set[str] = set()
    for value, polarity in ((OUT, "out"), (IN, "in")):  # "not in stock" holds "in stock"
        rest, count = lexicon().stock[polarity].subn(" ", rest)
        if count:
            said.add(value)
    proven = {proof.value for proof in own if isinstance(proof, FactProof) and proof.kind == "stock"}
    if said - proven:
        return rest, ["stock differs from what was read"]
    if proven - said:
        return rest, ["stock that was read is not what is said"]
    return rest, []


def _versions(rest: str, own: Proofs, language: str) -> tuple[str, list[str]]:
    """That a product comes in one version only is said where it was read, and nowhere else."""
    words = _plain(say(language, "one_version_words"))
    said = _stands_in(words, rest)
    proven = any(isinstance(proof, FactProof) and proof.value == SINGLE for proof in own)
    return _without(rest, words), ["the number of versions differs from what was read"] if said != proven else []


def _states(rest: str, own: Proofs, language: str) -> list[str]:
    """Order states: those said are those read."""
    proven = {
        proof.value.removeprefix("state ")
        for proof in own
        if isinstance(proof, FactProof) and proof.value.startswith("state ")
    }
    worded = {state: _plain(say(language, f"state_{state}")) for state in _STATES}
    said: set[str] = set()
    for state in sorted(_STATES, key=lambda one: len(worded[one]), reverse=True):
        if worded[state] in rest:
            rest = rest.replace(worded[state], " ")
            said.add(state)
    return [] if said == proven else ["the order's state differs from what was read"]


def _checkable(rest: str) -> list[str]:
    found: list[str] = []
    if re.search(r"\d", rest):
        found.append("figure")
    if any(pattern.search(rest) for pattern in lexicon().stock.values()):
        found.append("word of stock")
    return found


def _card(card: Card, proofs: Proofs, now: datetime) -> list[str]:
    facts = [
        proof
        for proof in proofs
        if isinstance(proof, FactProof) and (proof.kind not in LIVE_FACTS or is_proof(proof.read_at, now))
    ]
    prices = {fact.value for fact in facts if fact.kind == "price" and fact.subject == card.sku}
    problems = [
        "its price was not read from the shop"
        for price in (card.price, card.regular_price)
        if price is not None and price_value(price) not in prices
    ]
    if card.in_stock is not None and (IN if card.in_stock else OUT) not in {
        f.value for f in facts if f.kind == "stock"
    }:
        problems.append("its stock was not read from the shop")
    if card.name not in {fact.value for fact in facts if fact.kind == "product"}:
        problems.append("its name is not in the catalogue")
    if not is_proof(card.read_at, now):
        problems.append("it is older than 15 minutes")
    return problems


def _without(text: str, part: str, count: int = 0) -> str:
    """The text without this part, where it stands by itself: "9.00" is not taken out of "49.00"."""
    return _alone(part).sub(" ", text, count=count) if _plain(part) else text


def _stands_in(part: str, text: str) -> bool:
    return bool(_plain(part)) and _alone(part).search(text) is not None


def _alone(part: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w])(?<!\d[.,]){re.escape(_plain(part))}(?!\w)(?![.,]\d)")


def _plain(text: str) -> str:
    return _WHITE.sub(" ", fold(text)).strip()
