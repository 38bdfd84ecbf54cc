"""joined: a message with those it goes on from, where it makes no sense alone. Pure."""

import re

from schemas.chat import Utterance
from services.lib.answering.catalogue_words import CatalogueWords
from services.lib.answering.focus import which_of
from services.lib.answering.lexicon import lexicon
from services.lib.answering.negation import negations
from services.lib.answering.places import places_of, without_places
from services.lib.answering.prices import price_wish
from services.lib.index.terms import fold, words

GIFT = frozenset(
    {"gift", "gifts", "present", "presents", "geschenk", "geschenke", "cadeau", "cadeaux", "regalo", "regalos"}
)
SOMETHING = re.compile(
    r"\b(something|anything|one|ones|etwas|was|eins|eine[ns]?|quelque chose|un|une|algo|uno|una|alg\w+)\b"
)
COMPARED = re.compile(r"\b[a-z]{3,}er(?:es|en|e)?\b|\b(?:more|less|plus|moins|mas|menos) [a-z]{3,}")


def joined_to_previous(text: str, folded: str, history: tuple[Utterance, ...], catalogue: CatalogueWords) -> str:
    """The question with the one it follows, where it makes no sense alone: "And to Canada?" after a question
    about shipping, "and the second one?" after one about a colour, "something warmer?" after a wish."""
    lex = lexicon()
    asked = next((line for line in reversed(history) if line.role == "customer"), None)
    answered = next((line for line in reversed(history) if line.role == "assistant"), None)
    if asked is None or answered is None or asked.contained or catalogue.named(text):
        return text
    content = lex.content(text)
    before = fold(asked.text)
    if not lex.has("continues", folded) or len(content) > 4:
        return text
    if which_of(folded) and not lex.content(_WHICH.sub(" ", folded)) and lex.has("options", before):
        return f"{asked.text} {text}"
    if answered.skus:
        return text
    own_subject = lex.has("policy", folded) or lex.has("order", folded)
    if own_subject or not lex.has("policy", before):
        return text
    # Another country replaces the one asked about before.
    return f"{without_places(asked.text) if places_of(text) else asked.text} {text}"


def narrowed_wish(text: str, folded: str, history: tuple[Utterance, ...], catalogue: CatalogueWords) -> str | None:
    """A wish made of earlier messages and this one, which only narrows it: "size L", "something warmer?"."""
    lex = lexicon()
    asked = next((line for line in reversed(history) if line.role == "customer"), None)
    answered = next((line for line in reversed(history) if line.role == "assistant"), None)
    if asked is None or answered is None or asked.contained or catalogue.named(text):
        return None
    if answered.skus and SOMETHING.search(folded) and lex.has("search", folded) and 0 < len(lex.content(text)) <= 2:
        own = catalogue.head(folded, frozenset(), noun_first=False)
        wished = catalogue.head(price_wish(asked.text).rest, GIFT, noun_first=False)
        return f"{asked.text} {text}" if wished and not own and not lex.has("cheaper", folded) else None
    return _refined(text, history, catalogue) if len(answered.skus) != 1 else None


def _refined(text: str, history: tuple[Utterance, ...], catalogue: CatalogueWords) -> str | None:
    """A wish with what was added to it since, a message each: "a rain jacket", "size L", "not black"."""
    if not _only_narrows(text, catalogue):
        return None
    parts = [text]
    for line in list(reversed([one for one in history if one.role == "customer"]))[:4]:
        if line.contained:
            return None
        parts.append(line.text)
        folded = fold(line.text)
        if _only_narrows(line.text, catalogue):
            continue
        wishes = lexicon().has("search", folded) or not lexicon().has("question", folded)
        head = catalogue.head(price_wish(line.text).rest, GIFT, noun_first=False)
        about = catalogue.named(line.text) or lexicon().has("policy", folded) or lexicon().has("order", folded)
        return ", ".join(reversed(parts)) if wishes and head and not about else None
    return None


def _only_narrows(text: str, catalogue: CatalogueWords) -> bool:
    """Whether a message is nothing but values, a price or something unwanted."""
    wish = price_wish(text)
    negated = negations(wish.rest, catalogue.known)
    values = {
        word
        for facet in catalogue.facets(restored(negated.rest, text))
        if facet.is_option
        for word in (*facet.words, *words(facet.label))
    }
    narrows = wish.bound is not None or bool(negated.unwanted) or bool(values)
    return narrows and not set(lexicon().content(negated.rest)) - values - FIELD_WORDS


FIELD_WORDS = frozenset({"size", "color", "colour", "grosse", "farbe", "taille", "couleur", "talla"})

_WHICH = re.compile(
    "|".join(
        lexicon().cues[cue].pattern
        for cue in ("first", "second", "third", "fourth", "cheaper_one", "dearer_one", "continues")
    )
)


def restored(rest: str, text: str) -> str:
    """Capital letters of sizes ("M") got lost in folding; put them back where the message has them."""
    capitals = {word for word in re.findall(r"[^\W_]+", text) if len(word) <= 4 and word.isupper()}
    return re.sub(r"[^\W_]+", lambda found: found[0].upper() if found[0].upper() in capitals else found[0], rest)
