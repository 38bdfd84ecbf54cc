"""Search documents: what of the shop is searched, and how it is cut. Pure.

A product is one document with its variants; a page is cut at its headings into passages short enough
to be quoted whole, since a sentence that limits another must not fall out of a quotation.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.lib.index.terms import fold
from services.lib.shop.models import Page, Product, Variant

PASSAGE_WORDS = 120
"""Longest passage, in words: about what a chat window shows without scrolling."""

FORMAT = 3
"""Counts changes of this module that change what is searched; part of every content hash."""


class Document(BaseModel):
    model_config = ConfigDict(frozen=True)

    store: str
    read_at: datetime
    """When it was read from the shop (UTC); not part of the content hash."""

    @property
    def id(self) -> str:
        raise TypeError(f"{type(self).__name__} has no id")

    @property
    def content_hash(self) -> str:
        """SHA-256 of everything but the time it was read: equal hashes need no new embedding."""
        content = self.model_dump_json(exclude={"read_at"})
        return hashlib.sha256(f"{FORMAT}|{content}".encode()).hexdigest()


class ProductDocument(Document):
    """One sellable parent. Prices and stock are not here: they are facts, read when they are needed."""

    kind: Literal["product"] = "product"
    sku: str
    name: str
    type_id: str = ""
    """Magento's product type; empty where it is not known."""
    url: str
    categories: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    """Label to value as the storefront shows them."""
    options: dict[str, tuple[str, ...]] = {}
    """Option label to the labels it comes in, e.g. {"Color": ("Red", "Blue")}, in catalogue order."""
    variants: tuple[Variant, ...] = ()
    short_description: str = ""
    description: str = ""

    @property
    def id(self) -> str:
        return product_id(self.store, self.sku)

    @property
    def title_text(self) -> str:
        return self.name

    @property
    def attribute_text(self) -> str:
        """Categories, attributes and options in words: what a shopper names a product by."""
        options = (f"{label}: {', '.join(values)}" for label, values in self.options.items())
        attributes = (f"{label}: {value}" for label, value in self.attributes.items())
        return ". ".join([", ".join(self.categories), *options, *attributes])

    @property
    def said_text(self) -> str:
        """What the document says of the product, without the attributes that say no: "Waterproof: No" holds
        the word and denies the thing."""
        options = (f"{label}: {', '.join(values)}" for label, values in self.options.items())
        attributes = (f"{label}: {v}" for label, v in self.attributes.items() if fold(v.strip(" .")) not in NO)
        return ". ".join([self.name, ", ".join(self.categories), *options, *attributes, self.body_text])

    @property
    def denied(self) -> tuple[str, ...]:
        """Labels of the attributes whose value is no."""
        return tuple(label for label, value in self.attributes.items() if fold(value.strip(" .")) in NO)

    @property
    def is_single(self) -> bool:
        """Whether it is known to come in one version only: of these types nothing is chosen."""
        return self.type_id in ("simple", "virtual") and not self.variants and not self.options

    @property
    def body_text(self) -> str:
        return f"{self.short_description}\n{self.description}".strip()

    @property
    def full_text(self) -> str:
        """What the second vector is made of; an encoder cuts it where its window ends."""
        return f"{self.name}. {self.attribute_text}. {self.body_text}"

    def facets(self) -> Iterable[tuple[str, str]]:
        """Label and value of everything a hard filter may ask for."""
        for category in self.categories:
            for part in category_names(category):
                yield CATEGORY, part
        for label, value in self.attributes.items():
            for part in split_values(value):
                yield label, part
        for label, values in self.options.items():
            for value in values:
                yield label, value


class PassageDocument(Document):
    """One part of a page under one heading path, quoted as it stands."""

    kind: Literal["passage"] = "passage"
    source: str
    """The page's identifier."""
    number: int
    """Position in the page, from 0."""
    title: str
    headings: tuple[str, ...] = ()
    text: str
    url: str

    @property
    def id(self) -> str:
        return f"passage/{self.store}/{self.source}/{self.number}"

    @property
    def title_text(self) -> str:
        return " / ".join((self.title, *self.headings))

    @property
    def full_text(self) -> str:
        return f"{self.title_text}. {self.text}"


CATEGORY = "category"
"""Facet label under which categories are filtered."""


NO = frozenset({"no", "none", "nein", "keine", "non", "aucun", "aucune", "ninguno", "ninguna", "false", "0"})
"""Folded values of an attribute that deny it."""


def product_id(store: str, sku: str) -> str:
    return f"product/{store}/{sku}"


def split_values(value: str) -> tuple[str, ...]:
    """A multi-select attribute's values: their labels are joined with a comma and a space ("1,000" is one)."""
    return tuple(part.strip() for part in re.split(r",\s+", value) if part.strip())


def category_names(path: str) -> tuple[str, ...]:
    """Names a category goes by: each level of its path, and each part of "Dresses & Skirts"."""
    levels = [level.strip() for level in path.split("/") if level.strip()]
    parts = [part for level in levels for part in re.split(r"\s+(?:&|and|und|et|y)\s+", level)]
    return tuple(dict.fromkeys([*levels, *parts]))


def product_document(product: Product, read_at: datetime) -> ProductDocument:
    options: dict[str, dict[str, None]] = {}
    for variant in product.variants:
        for label, value in variant.options.items():
            options.setdefault(label, {}).setdefault(value)
    return ProductDocument(
        store=product.store,
        read_at=read_at,
        sku=product.sku,
        name=product.name,
        type_id=product.type_id,
        url=product.url,
        categories=product.categories,
        attributes=dict(product.attributes),
        options={label: tuple(values) for label, values in options.items()},
        variants=product.variants,
        short_description=product.short_description,
        description=product.description,
    )


_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[^\s\d])")


def passage_documents(page: Page, read_at: datetime) -> tuple[PassageDocument, ...]:
    """Cut a page at its headings, long parts at sentence ends; nothing of the text is dropped but headings.

    A heading is a Markdown heading, or a short line without a full stop above a sentence.
    """
    cut: list[tuple[tuple[str, ...], str]] = []
    path: list[tuple[int, str]] = []
    block: list[str] = []

    def flush() -> None:
        text = "\n".join(block).strip()
        block.clear()
        headings = tuple(heading for _, heading in path if heading.casefold() != page.title.casefold())
        cut.extend((headings, part) for part in _pieces(text))

    lines = page.text.replace("\r\n", "\n").strip().split("\n")
    if fold(lines[0].strip("# ")) == fold(page.title):
        lines = lines[1:]
    for number, line in enumerate(lines):
        found = _HEADING.match(line.strip())
        if found:
            level, heading = len(found[1]), found[2]
        elif _is_bare_heading(lines, number):
            level, heading = 6, line.strip()
        else:
            block.append(line.strip())
            continue
        flush()
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, heading))
    flush()
    return tuple(
        PassageDocument(
            store=page.store,
            read_at=read_at,
            source=page.identifier,
            number=number,
            title=page.title,
            headings=headings,
            text=text,
            url=page.url,
        )
        for number, (headings, text) in enumerate(cut)
    )


def _is_bare_heading(lines: list[str], number: int) -> bool:
    """Markup is gone by the time a page is read, so a heading is known by its shape: a short line without
    marks, above a sentence or a table, or above a longer line where it cannot be an item of a list itself."""
    line = lines[number].strip()
    if not line or len(line.split()) > 7 or line[-1] in ".!…" or line[0] in "-*•" or set(",:;|") & set(line):
        return False
    below = next((one.strip() for one in lines[number + 1 :] if one.strip()), "")
    above = next((one.strip() for one in reversed(lines[:number]) if one.strip()), "")
    if "|" in below or (len(below.split()) > 5 and below[-1] in ".!?:…"):
        return True
    starts = not above or above[-1] in ".!?…" or "|" in above
    return starts and len(below) > len(line)


def sentences(text: str) -> list[str]:
    """Sentences and list items, in order. A number never ends a sentence ("from 4.50 to 9.")."""
    return [part.strip() for line in text.split("\n") for part in _SENTENCE_END.split(line) if part.strip()]


def _pieces(text: str) -> Iterable[str]:
    """Runs of whole sentences of at most `PASSAGE_WORDS` words; one longer sentence stays whole."""
    if len(text.split()) <= PASSAGE_WORDS:
        if text:
            yield re.sub(r"\n{2,}", "\n", text)
        return
    run: list[str] = []
    words = 0
    for line in text.split("\n"):
        for sentence in sentences(line):
            size = len(sentence.split())
            if run and words + size > PASSAGE_WORDS:
                yield _join(run)
                run, words = [], 0
            run.append(sentence)
            words += size
        if run and run[-1] != "\n":
            run.append("\n")
    if any(part != "\n" for part in run):
        yield _join(run)


def _join(run: list[str]) -> str:
    return " ".join(run).replace(" \n ", "\n").replace(" \n", "\n").strip()
