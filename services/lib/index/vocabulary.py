"""vocabulary_of: the words a catalogue uses itself, gathered from its documents. Pure."""

from collections.abc import Iterable

from services.lib.index.documents import PassageDocument, ProductDocument, category_names, split_values
from services.lib.index.port import Vocabulary
from services.lib.index.terms import words

MAX_VALUE_WORDS = 4
"""A longer attribute value is a sentence, not a name shoppers use: it is searched, not filtered by."""


def vocabulary_of(documents: Iterable[ProductDocument | PassageDocument]) -> Vocabulary:
    values: dict[str, set[str]] = {}
    options: dict[str, set[str]] = {}
    categories: set[str] = set()
    names: dict[str, str] = {}
    parents: dict[str, str] = {}
    seen: set[str] = set()
    for document in documents:
        seen.update(words(document.title_text))
        if isinstance(document, PassageDocument):
            seen.update(words(document.text))
            continue
        seen.update(words(document.attribute_text))
        seen.update(words(document.body_text))
        names[document.sku] = document.name
        categories.update(name for path in document.categories for name in category_names(path))
        parents |= {variant.sku: document.sku for variant in document.variants if variant.sku != document.sku}
        for label, value in document.attributes.items():
            parts = (part for part in split_values(value) if len(part.split()) <= MAX_VALUE_WORDS)
            values.setdefault(label, set()).update(parts)
        for label, labels in document.options.items():
            options.setdefault(label, set()).update(labels)
    return Vocabulary(
        values={label: frozenset(found) for label, found in values.items() if found},
        options={label: frozenset(found) for label, found in options.items()},
        categories=frozenset(categories),
        names=names,
        parents=parents,
        words=frozenset(seen),
    )
