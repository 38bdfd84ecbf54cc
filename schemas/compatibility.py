"""`breaking_changes`: what in a new JSON Schema of a topic would break someone who holds the old one.

A topic's log outlives a release, and services are updated one at a time. So a change must hold in both
directions: new readers read old events, and old readers read new ones. That leaves as compatible **an added
optional field, an added type** (readers ignore the one and skip the other), and words (titles, descriptions).
Everything else is a new version of the topic, and named here:

- Narrowing (a field gone or newly required, a type, enum, bound or pattern that allows less) breaks old events
  and those who write them. Widening breaks readers that are not updated yet: a closed set with a new value is
  refused by all of them. A changed default changes what an absent field means.
- Key and partition count decide where a conversation's events are, and joins rest on equal counts.
- A size limit that falls refuses what writers may send; one that rises is refused by today's readers.
- Shorter retention takes events from readers who were promised time to come back; a topic that becomes
  compacted, or ceases to be, loses events or keeps them for ever. Longer retention breaks no reader.
  (Whether personal data may be kept that long is another question, with another test.)
- Who produces and consumes may change freely.
"""

from typing import Any

Schema = dict[str, Any]

_WORDS = frozenset({"title", "description", "examples", "$comment"})
_AT_LEAST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
_AT_MOST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})
_HANDLED = frozenset({"$ref", "properties", "required", "enum", "const", "oneOf", "anyOf", "items", "prefixItems"})


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence per incompatible change from `old` to `new`, two documents of one topic; empty if none.

    Both are documents as `schemas.json_schema.json_schema` makes them.
    """
    found = _topic_changes(old["x-baton"], new["x-baton"])
    before, after = _types(old), _types(new)
    for name, definition in before.items():
        if name in after:
            found += _Comparison(old, new).compare(name, definition, after[name])
        else:
            found.append(f"{name}: the type is gone")
    return found


def _topic_changes(old: Schema, new: Schema) -> list[str]:
    found = [
        f"{name.replace('_', ' ')} changed from {old[name]} to {new[name]}"
        for name in ("key", "partitions", "compacted", "max_bytes", "dead_letters")
        if old[name] != new[name]
    ]
    before, after = old["retention_hours"], new["retention_hours"]
    if before is not None and after is not None and after < before:
        found.append(f"retention shortened from {before} to {after} hours")
    return found


def _types(document: Schema) -> dict[str, Schema]:
    envelopes = [_resolved(document, branch) for branch in document["oneOf"]]
    return {envelope["properties"]["type"]["const"]: envelope for envelope in envelopes}


def _resolved(document: Schema, schema: Schema) -> Schema:
    """The schema with its `$ref` followed; words beside a reference are no rules."""
    while "$ref" in schema:
        schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


class _Comparison:
    """One walk over two documents at once; remembers pairs, so that a recursive model ends."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[int, int]] = set()

    def compare(self, path: str, old: Schema, new: Schema) -> list[str]:
        found: list[str] = []
        if old.get("default") != new.get("default") and "default" in old:
            # Beside a reference a default still counts, so it is looked at before references are followed.
            found.append(f"{path}: the default changed, and with it what an absent field means")
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if (id(old), id(new)) in self._seen:
            return found
        self._seen.add((id(old), id(new)))
        found += _values(path, old, new)
        found += self._fields(path, old, new)
        for keyword in ("oneOf", "anyOf"):
            found += self._branches(path, old.get(keyword, []), new.get(keyword, []))
        if "items" in old and "items" in new:
            found += self.compare(f"{path}[]", old["items"], new["items"])
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            found += self.compare(f"{path}[{index}]", one, other)
        if len(before) != len(after) or ("items" in old) != ("items" in new):
            found.append(f"{path}: the items changed")
        for keyword in sorted((old.keys() | new.keys()) - _HANDLED - _WORDS - {"default", "$defs"}):
            found += self._rule(path, keyword, old.get(keyword), new.get(keyword))
        return found

    def _fields(self, path: str, old: Schema, new: Schema) -> list[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must, must_now = set(old.get("required", [])), set(new.get("required", []))
        found = [f"{path}.{name}: the field is gone" for name in before if name not in after]
        found += [f"{path}.{name}: a new field is required" for name in sorted(must_now - before.keys() - must)]
        found += [f"{path}.{name}: became required" for name in sorted((must_now - must) & before.keys())]
        found += [
            f"{path}.{name}: became optional, and readers of today require it"
            for name in sorted((must - must_now) & after.keys())
        ]
        for name in before:
            if name in after:
                found += self.compare(f"{path}.{name}", before[name], after[name])
        return found

    def _branches(self, path: str, old: list[Schema], new: list[Schema]) -> list[str]:
        """Branches of a union, paired by what they are and not by where they stand."""
        before, after = _named(self._old, old), _named(self._new, new)
        found = [f"{path}: no longer allows {name}" for name in before if name not in after]
        found += [f"{path}: allows {name} too, which readers of today refuse" for name in after if name not in before]
        for name in before:
            if name in after:
                found += self.compare(path, before[name], after[name])
        return found

    def _rule(self, path: str, keyword: str, old: Any, new: Any) -> list[str]:
        if isinstance(old, dict) and isinstance(new, dict):  # additionalProperties, propertyNames
            return self.compare(f"{path}.*", old, new)
        if old == new:
            return []
        said = f"{keyword} changed from {_shown(old)} to {_shown(new)}"
        if keyword in _AT_LEAST | _AT_MOST:
            rises = old is None if None in (old, new) else new > old
            falls = old is None if None in (old, new) else new < old
            narrowed = rises if keyword in _AT_LEAST else falls
            return [f"{path}: {'narrowed' if narrowed else 'widened'}: {said}"]
        return [f"{path}: {said}"]


def _values(path: str, old: Schema, new: Schema) -> list[str]:
    """Closed sets: a constant is a set of one."""
    before = old.get("enum", [old["const"]] if "const" in old else None)
    after = new.get("enum", [new["const"]] if "const" in new else None)
    if before is None and after is None:
        return []
    if before is None or after is None:
        return [f"{path}: {'narrowed to a closed set' if before is None else 'no longer a closed set'}"]
    found = [f"{path}: no longer allows {_shown(value)}" for value in before if value not in after]
    return found + [
        f"{path}: allows {_shown(value)} too, which readers of today refuse" for value in after if value not in before
    ]


def _named(document: Schema, branches: list[Schema]) -> dict[str, Schema]:
    """Branches by what tells one from another: the JSON type, and where several share it, the model's name.

    A model that is the only object of its union may so be renamed: nobody sees the name on the wire.
    """
    kinds = [str(_resolved(document, branch).get("type", "a union")) for branch in branches]
    return {
        branch.get("$ref", kind).removeprefix("#/$defs/") if kinds.count(kind) > 1 else kind: branch
        for kind, branch in zip(kinds, branches, strict=True)
    }


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)
