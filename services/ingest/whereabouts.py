"""`arrived_from`: where the shopper is, in which language, and who the shop says it is.

A gateway sends what it knows: what an event leaves out stays as it was. An identity stays until its token
expires, the shopper logs out, or a token is refused. After a log-out, or where another customer is proven, whoever
speaks next may be someone else at the same screen: what was said before is not shown to the machine any
more. The bucket is stamped once and stays, whoever logs in later.
"""

import hashlib
from datetime import datetime

from schemas.chat import Identity, IdentityChanged
from services.ingest.state import Conversation, Item

BUCKETS = 10_000
"""Hundredths of a percent."""
DEFAULT_LANGUAGE = "en"


def arrived_from(state: Conversation, item: Item, now: datetime) -> Conversation:
    """The state with what this event says of the shopper's whereabouts."""
    data, found = item.data, item.found
    update: dict[str, object] = {
        name: getattr(data, name)
        for name in ("store", "locale", "visitor", "page_sku")
        if name in data.model_fields_set
    }
    if found.language is not None:
        update["language"] = found.language
    identity = _identity(state, item, now)
    update["identity"] = identity
    customer = None if identity is None else identity.customer_id
    logged_out = isinstance(data, IdentityChanged) and identity is None
    if customer is not None or logged_out:
        update["customer_id"] = customer
    if state.customer_id is not None and update.get("customer_id", state.customer_id) != state.customer_id:
        update["history"] = ()
        update["undecided"] = tuple(turn.model_copy(update={"text": ""}) for turn in state.undecided)
    state = state.model_copy(update=update)
    if state.bucket is None:
        state = state.model_copy(update={"bucket": bucket(state)})
    return state


def language_of_turn(state: Conversation, item: Item) -> str:
    """Of this message; where it does not tell ("ok", a picture), of the last that did; else of the locale."""
    locale = item.data.locale or state.locale
    spoken = item.found.language or state.language
    return spoken or (locale.replace("-", "_").split("_")[0] if locale else DEFAULT_LANGUAGE)


def bucket(state: Conversation) -> int:
    """The same shopper gets the same bucket in every conversation, as far as the shopper is known."""
    if state.identity is not None and state.identity.customer_id is not None:
        who = f"customer:{state.identity.customer_id}"
    elif state.visitor:
        who = f"visitor:{state.visitor}"
    else:
        who = f"conversation:{state.key}"
    return int.from_bytes(hashlib.sha256(who.encode()).digest()[:8]) % BUCKETS


def _identity(state: Conversation, item: Item, now: datetime) -> Identity | None:
    """The proven identity that counts now; None is a guest."""
    match item.found.token:
        case "proven":
            identity = item.found.identity
        case "refused":
            identity = None
        case _:
            identity = None if isinstance(item.data, IdentityChanged) else state.identity
    if identity is None or identity.expires_at is None or identity.expires_at <= now:
        return None
    return identity
