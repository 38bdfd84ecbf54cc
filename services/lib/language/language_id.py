"""Which language a message is in, where it is long enough to tell."""

import re
from dataclasses import dataclass
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

SUPPORTED = ("en", "de", "fr", "es")
_NEIGHBOURS = "it nl pt pl tr cs sk hu ro sv da no fi el ru uk bg hr sl et lv lt ar he fa hi ja ko zh vi id ca"
OTHERS = tuple(_NEIGHBOURS.split())
"""Told apart from ours so that `unsupported_language` can fire; rarer languages fall to their nearest kin."""

SURE = 0.75
"""Below this share of the probability nothing is said, and the locale decides."""
SURE_OTHER = 0.95
"""Another language than ours must be surer: a wrong guess sends away a shopper whom we could have answered."""

_NOISE = re.compile(r"https?://\S+|\S+@\S+|\[[a-z]+ [^\]]*\]|\S*\d\S*|[^\w\s'’]|_")
_MARKS = {
    "en": (
        "the is are do does you your my i what where when how can have this that it with for not "
        "please and of to want need in any there would was has i'm don't it's does"
    ),
    "de": (
        "der die das ist sind ich ihr sie mein meine wo wann wie kann haben habe nicht bitte und "
        "mit für ein eine auch noch gibt es den dem zu auf von wir gibts habt bei wurde"
    ),
    "fr": (
        "le la les est sont je vous mon ma mes où quand comment peut avez pas plus et avec pour un "
        "une des du svp bonjour merci c'est j'ai il elle dans sur ce cette au votre ne que"
    ),
    "es": (
        "el la los las es son yo mi mis dónde donde cuándo cuando cómo como puede tienen tenéis no "
        "y con para un una hola gracias qué que por favor está lo en del se me quiero hay"
    ),
    "it": (
        "il lo gli è sono io mio mia dove quando come posso avete non e con per un una ciao grazie "
        "che questo della nel si"
    ),
    "nl": (
        "de het een is zijn ik jullie mijn waar wanneer hoe kan heb niet graag en met voor ook nog "
        "wat dit dat van bij mij"
    ),
    "pt": (
        "o os as é são eu meu minha onde quando como posso têm não e com para um uma olá obrigado "
        "que do da em você está"
    ),
    "pl": ("jest są ja mój moja gdzie kiedy jak mogę nie i z dla czy to się na mam proszę dzień dobry w do ile"),
    "tr": ("bir bu ve ne nerede nasıl var mı mi benim için ile değil lütfen merhaba zaman çok kadar"),
}
"""Function words, the commonest of each language."""
_MARKS_OF = {code: frozenset(words.split()) for code, words in _MARKS.items()}


@dataclass(frozen=True, slots=True)
class Language:
    """`code`: ISO 639-1, None where it cannot be told. `probability` between 0 and 1."""

    code: str | None
    probability: float


UNTOLD = Language(None, 0.0)


def identify(text: str) -> Language:
    """The language of `text`, by py3langid (Lui and Baldwin 2012) over our languages and their neighbours.

    Function words count on top of its byte n-grams, because chat messages are shorter than what it was
    trained on. One word, numbers, product codes, emoji: untold.
    """
    words = _NOISE.sub(" ", text[:2000]).lower().replace("’", "'").split()
    letters = sum(len(word) for word in words)
    if letters < 6 or (len(words) < 2 and letters < 12):
        return UNTOLD
    weights = dict(_identifier().rank(" ".join(words)))
    marks = {code: sum(word in known for word in words) / len(words) for code, known in _MARKS_OF.items()}
    scores = {code: weight * (0.02 + marks.get(code, 0.0)) for code, weight in weights.items()}
    total = sum(scores.values())
    best = max(scores, key=lambda code: scores[code])
    probability = scores[best] / total if total else 0.0
    if probability < (SURE if best in SUPPORTED else SURE_OTHER):
        return UNTOLD
    return Language(best, probability)


def language_of(text: str, locale: str) -> str:
    """The language of `text`, or that of `locale` ("de_DE", "de-DE", "de") where it cannot be told."""
    return identify(text).code or re.split(r"[_\-.]", locale.strip().lower())[0] or "en"


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*SUPPORTED, *OTHERS])
    return identifier
