"""How the passages of pydocs are related: as twins, as siblings, and by their authors' See Also."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from stillroom.collections.docstring_text import read_docstring, spoken_share
from stillroom.collections.docstrings import Documented
from stillroom.collections.twins import chained, components, near_duplicates, shingles

MIN_PASSAGE_WORDS = 12  # below, little is left to find a passage by
MIN_SPOKEN_SHARE = 0.5  # below, a text is mostly formulas, code or tables
MAX_PASSAGE_WORDS = 80  # longer bodies are cut: 58 on average, as in MS MARCO (56)
TWIN_BODIES = 0.5  # Jaccard similarity of word shingles
TWIN_SUMMARIES = 0.8  # Jaccard similarity of words


class Passage(NamedTuple):
    """A documented object: its text, the summary that is the query for it, and the names it refers to."""

    passage_id: str
    text: str
    summary: str
    see_also: tuple[str, ...]
    described: Documented
    aliases: tuple[str, ...]  # names of other objects with the same text


def read_passages(objects: Iterable[Documented]) -> list[Passage]:
    """Passages of the objects whose docstring says enough; objects with the same text share one passage."""
    by_text: dict[str, Passage] = {}
    for described in objects:
        docstring = read_docstring(described.docstring)
        if docstring is None or not is_passage(docstring.body):
            continue
        text = " ".join(docstring.body.split()[:MAX_PASSAGE_WORDS])
        known = by_text.get(text)
        by_text[text] = (
            known._replace(aliases=(*known.aliases, described.name))
            if known
            else Passage(described.name, text, docstring.summary, docstring.see_also, described, ())
        )
    return list(by_text.values())


def is_passage(text: str) -> bool:
    """Whether a text is long enough and reads as language."""
    return len(text.split()) >= MIN_PASSAGE_WORDS and spoken_share(text) >= MIN_SPOKEN_SHARE


def normalized(summary: str) -> str:
    """A summary's words in lower case, without punctuation."""
    return " ".join(re.findall(r"\w+", summary.lower()))


def same_summary(passages: list[Passage]) -> dict[str, list[int]]:
    """Positions of the passages that a summary fits, by the normalised summary."""
    groups = defaultdict(list)
    for position, passage in enumerate(passages):
        groups[normalized(passage.summary)].append(position)
    return dict(groups)


def sibling_families(passages: list[Passage]) -> list[list[int]]:
    """Groups of methods of one name on sibling classes: of one base in a library, or of one package."""
    families = defaultdict(list)
    for position, passage in enumerate(passages):
        described = passage.described
        if described.owner is None:
            continue
        method = described.name.rpartition(".")[2]
        families["package", described.package, method].append(position)
        for base in described.bases:
            families[described.library, base, method].append(position)
    return [family for family in families.values() if len(family) > 1]


def related_components(passages: list[Passage]) -> list[int]:
    """For each passage the first position of its component of twins and siblings, which share a split."""
    summaries = same_summary(passages)
    words = [frozenset(normalized(passage.summary).split()) for passage in passages]
    bodies = [shingles(passage.text) for passage in passages]
    pairs = [
        *near_duplicates(bodies, TWIN_BODIES),
        *near_duplicates(words, TWIN_SUMMARIES),
        *chained(summaries.values()),
        *chained(sibling_families(passages)),
    ]
    return components(len(passages), pairs)


def see_also_positions(passages: list[Passage]) -> list[list[int]]:
    """For each passage the positions of the passages under its See Also."""
    by_name = {name: at for at, passage in enumerate(passages) for name in (passage.passage_id, *passage.aliases)}
    by_ending = names_by_ending(by_name)
    referred = []
    for position, passage in enumerate(passages):
        found = (resolve(name, passage.described, by_name, by_ending) for name in passage.see_also)
        referred.append([at for at in dict.fromkeys(found) if at is not None and at != position])
    return referred


def names_by_ending(names: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Qualified names of a library by their last part."""
    endings = defaultdict(list)
    for name in names:
        endings[name.partition(".")[0], name.rpartition(".")[2]].append(name)
    return endings


def resolve(name: str, described: Documented, by_name: dict[str, int], by_ending: dict) -> int | None:
    """Position of the passage that a See Also entry means, searched from the nearest scope to the widest.

    A short name outside its class and packages counts only if one object in the library bears it.
    """
    scopes = [described.owner, described.name] if described.owner else []
    parts = described.package.split(".")
    scopes += [described.module, *(".".join(parts[:length]) for length in range(len(parts), 0, -1))]
    for candidate in (name, *(f"{scope}.{name}" for scope in scopes)):
        if candidate in by_name:
            return by_name[candidate]
    short = name.removeprefix(described.library + ".")
    bearers = by_ending.get((described.library, short.rpartition(".")[2]), [])
    bearers = {by_name[bearer] for bearer in bearers if bearer.endswith("." + short)}
    return bearers.pop() if len(bearers) == 1 else None
