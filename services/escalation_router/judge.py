"""`judge`: what a turn's evidence comes to, once sentiment and answer are both there or its time is up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.chat import LIVE_FACTS, AnswerProposed, AnswerUnavailable, AnswerWithheld, Evidence
from schemas.reasons import Decision, Reason, gravest
from services.escalation_router.policy import Policy
from services.escalation_router.state import Conversation, OpenTurn
from services.lib.language.repeats import repeats

COMPARED = 160
"""Characters in which two messages are compared: the comparison takes time that grows with the cube of them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    decision: Decision
    case: str
    """Row of the table in docs/decisions.md."""
    reason: Reason | None = None
    evidence: tuple[Evidence, ...] = ()
    answer: AnswerProposed | None = None
    """To be sent, or carried by the notice."""


def judge(
    state: Conversation, turn: OpenTurn, policy: Policy, now: datetime, *, at_deadline: bool = False
) -> Verdict | None:
    """The verdict, or None while evidence is missing. At the deadline what is missing speaks for a human."""
    found = turn.found
    missing = [name for name, part in (("sentiment", found.sentiment), ("answer", found.answer)) if part is None]
    if missing and not at_deadline:
        return None
    against = [*_against_answer(state, turn, policy, now), *_against_mood(state, turn, policy)]
    if missing:
        detail = f"missing: {', '.join(missing)}"
        against.append(Evidence(source="timer:deadline", reason=Reason.AI_UNAVAILABLE, detail=detail))
    proposed = found.answer if isinstance(found.answer, AnswerProposed) else None
    answer_stands = not any(e.source.startswith("answer:") for e in against)
    reason = gravest(*(e.reason for e in against))
    if reason is not None:
        carried = proposed if proposed is not None and answer_stands and proposed.kind == "answer" else None
        case = "deadline" if missing or reason is Reason.AI_UNAVAILABLE else "judged"
        return Verdict(Decision.ESCALATE, case, reason, tuple(against), carried)
    if proposed is None:
        raise ValueError("an answer that is not proposed must speak against itself")
    support = (Evidence(source="answer:confidence", score=proposed.confidence),)
    if proposed.kind == "clarification":
        return Verdict(Decision.CLARIFY, "question", evidence=support, answer=proposed)
    if proposed.confidence >= policy.answer[proposed.intent].sure:
        return Verdict(Decision.ANSWER, "proven", evidence=support, answer=proposed)
    return Verdict(Decision.ANSWER_AND_OFFER_HUMAN, "doubtful", evidence=support, answer=proposed)


def _against_answer(state: Conversation, turn: OpenTurn, policy: Policy, now: datetime) -> list[Evidence]:
    answer = turn.found.answer
    if answer is None:
        return []
    if isinstance(answer, AnswerUnavailable):
        return [Evidence(source=f"answer:{answer.cause}", reason=Reason.AI_UNAVAILABLE, detail=answer.detail or None)]
    if isinstance(answer, AnswerWithheld):
        return [Evidence(source="answer:withheld", reason=answer.reason, detail=answer.detail or None)]
    against = []
    if any(not _is_proven(claim.proofs, answer) for claim in answer.claims):
        against.append(Evidence(source="answer:claim_without_proof", reason=Reason.UNVERIFIED_CLAIM))
    oldest = _oldest_live_fact(answer)
    if oldest is not None and now - oldest > timedelta(seconds=policy.timing.facts_s):
        against.append(Evidence(source="answer:facts_too_old", reason=Reason.UNVERIFIED_CLAIM))
    if answer.confidence < policy.answer[answer.intent].threshold:
        against.append(Evidence(source="answer:confidence", reason=Reason.LOW_CONFIDENCE, score=answer.confidence))
    if answer.kind == "clarification" and state.questions >= policy.clarify.at_most:
        against.append(Evidence(source="answer:asked_before", reason=Reason.LOW_CONFIDENCE))
    return against


def _is_proven(proofs: tuple[int, ...], answer: AnswerProposed) -> bool:
    return bool(proofs) and all(0 <= index < len(answer.proofs) for index in proofs)


def _oldest_live_fact(answer: AnswerProposed) -> datetime | None:
    """When the oldest was read of what changes by the minute, in the proofs and on the cards."""
    proofs = [proof.read_at for proof in answer.proofs if proof.kind in LIVE_FACTS]
    cards = [card.read_at for card in answer.cards if card.price is not None or card.in_stock is not None]
    return min((*proofs, *cards), default=None)


def _against_mood(state: Conversation, turn: OpenTurn, policy: Policy) -> list[Evidence]:
    against = []
    negative = turn.negativity
    if negative is not None:
        before = state.negatives[-1] if state.negatives else 0.0
        if negative >= policy.sentiment.angry or min(negative, before) >= policy.sentiment.upset:
            scored = turn.found.sentiment
            source = f"model:{scored.model}"[:200] if scored is not None else "sentiment"
            against.append(Evidence(source=source, reason=Reason.NEGATIVE_SENTIMENT, score=negative))
    if _in_circles(state):
        against.append(Evidence(source="rule:repeats", reason=Reason.REPEATED_FAILURE))
    return against


def _in_circles(state: Conversation) -> bool:
    """The last line heard is the turn's own."""
    if not state.heard:
        return False
    *earlier, last = state.heard
    if any(line.role == "assistant" for line in earlier) and repeats(last.text, [("assistant", "")]):
        return True  # the shopper says so
    return repeats(last.text[:COMPARED], [(line.role, line.text[:COMPARED]) for line in earlier])
