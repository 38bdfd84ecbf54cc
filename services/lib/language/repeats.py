"""Notices that a conversation goes round in circles: the shopper says so, or asks the same again."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from services.lib.language.fold import fold

COMPARED_WORDS = 40
COMPARED_LETTERS = 24
"""Of each message and word: a question that is asked again is recognised by them, and no message takes long."""

SAME = 0.85
"""Similarity (0 to 1, difflib's ratio over sorted words) from which two messages ask the same thing."""

_SAYS_SO = re.compile(
    r"\b(?:"
    r"you (?:just |have |ve |already )*(?:said|told|asked|answered|wrote|sent)(?: me| us)? (?:that|"
    r"this|it)?"
    r" ?(?:already|before|again|twice|the same)|you already (?:said|told|asked)|(?:i|we) (?:already|"
    r"just) (?:told|said|asked|"
    r"answered|explained|tried)|(?:going|running|talking|go) (?:round |around )?in circles|"
    r"(?:round and round)|"
    r"same (?:answer|thing|question|reply|response) (?:again|over|every|twice|as before)|"
    r"again and again|over and over|"
    r"(?:that|this|it) (?:does n ?t|doesn ?t|did ?n ?t|is ?n ?t|s not) (?:answer|help|what i asked)|"
    r"(?:not|isn ?t|wasn ?t) (?:what|my"
    r"|the question) ?(?:i|question)? ?(?:asked|was|question)|you (?:re|are) repeating|stop repeating|"
    r"(?:das )?(?:hast du|haben sie|habt ihr)(?: mir)?(?: das)? (?:schon|bereits|eben|"
    r"gerade) (?:gesagt|geschrieben|gefragt)|"
    r"im kreis|schon wieder das ?(?:gleiche|selbe)|immer (?:das ?(?:gleiche|selbe)|die ?(?:gleiche|selbe))|"
    r"(?:hab|habe) ich (?:doch )?(?:schon|bereits|eben) (?:gesagt|geschrieben|erklart|gefragt)|"
    r"(?:das )?(?:war|ist|beantwortet) nicht meine frage|beantwortet meine frage nicht|"
    r"(?:vous (?:l )?avez|tu (?:l )?as) deja (?:dit|ecrit|demande|repondu)|(?:on|nous|je) tourn\w+ en rond|"
    r"toujours la meme (?:reponse|chose)|encore la meme (?:reponse|chose)|(?:je|j ai) (?:vous |"
    r"te )?(?:l )?(?:ai )?deja "
    r"(?:dit|explique|demande|repondu)|(?:ce n est|c est) pas (?:ma|la) question|"
    r"ne repond pas a ma question|"
    r"(?:eso )?ya (?:me )?(?:lo )?(?:has|habeis|han|ha) dicho|ya me lo (?:dijiste|dijeron|dijo)|"
    r"dando vueltas|damos vueltas|"
    r"en bucle|siempre (?:lo mismo|la misma)|otra vez lo mismo|ya (?:os |te |les |se )?(?:lo )?(?:he|"
    r"lo he) (?:dicho|explicado"
    r"|preguntado)|no (?:es lo que|responde|respondes|contesta)(?: a)? (?:pregunte|he preguntado|"
    r"mi pregunta|lo que)"
    r")\b"
)
_WORDS_THAT_SAY_LITTLE = (
    "hi hello hey please pls thanks ok so and but the a an is it i my "
    "hallo bitte danke und der die das ist ich mein "
    "bonjour svp merci et le la les un une est je mon "
    "hola por favor gracias y el los una es mi"
)
_NOISE = frozenset(_WORDS_THAT_SAY_LITTLE.split())


def repeats(text: str, history: Sequence[tuple[str, str]]) -> bool:
    """Whether `text` shows that the answers before it did not help.

    `history`: (role, text), oldest first, role "customer" or "assistant", without `text` itself. The same
    question only counts once an assistant has answered it; a burst of messages is no failure of anyone's.
    """
    answered = any(role == "assistant" for role, _ in history)
    if not answered:
        return False
    folded = fold(text).data.decode()
    if _SAYS_SO.search(folded):
        return True
    asked = _content(folded)
    if len(asked) < 2:
        return False
    heard_answer = False
    for role, earlier in reversed(history):
        if role == "assistant":
            heard_answer = True
        elif heard_answer and _same(asked, _content(fold(earlier).data.decode())):
            return True
    return False


def _content(folded: str) -> list[str]:
    """The first words that say something, each once: a comparison takes time squared in their number."""
    words = dict.fromkeys(word[:COMPARED_LETTERS] for word in re.findall(r"\w+", folded) if word not in _NOISE)
    return sorted(list(words)[:COMPARED_WORDS])


def _same(one: list[str], other: list[str]) -> bool:
    if {word for word in one if word.isdigit()} != {word for word in other if word.isdigit()}:
        return False
    return SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False).ratio() >= SAME
