"""Queries and judgements of pydocs, split so that no test can be learnt from a twin or a sibling."""

import hashlib
from collections import Counter, defaultdict
from typing import NamedTuple

from stillroom.collections.relations import (
    Passage,
    related_components,
    same_summary,
    see_also_positions,
    sibling_families,
)

SPLITS = ("train", "validation", "dev", "graded")
# Shares of the components, by a hash of their names: a component is on the same side in every size of pydocs.
LAST_PERCENTILE = {"validation": 10, "dev": 20, "graded": 50, "train": 100}
# Larger components are templates (`fit`, `transform`): they teach, but are no test.
MAX_TEST_COMPONENT = 20
# Test queries count as independent in a t-test; a template must not fill the training set.
QUERIES_PER_COMPONENT = {"train": 8, "validation": 1, "dev": 1, "graded": 1}
MAX_RELEVANT = 4  # a summary that fits more passages asks for none of them
DESCRIBED, SIBLING, REFERRED = 3, 2, 1
MIN_GRADED_PASSAGES = 3
MAX_GRADED_PASSAGES = 30


class Query(NamedTuple):
    """A query with its judgements: passage id to relevance."""

    query_id: str
    text: str
    judgements: dict[str, int]


class Collection(NamedTuple):
    """Passages, and for each split its queries."""

    passages: list[Passage]
    queries: dict[str, list[Query]]


class Candidates(NamedTuple):
    """All passages, the queries that each split can have in the order they are taken, and component sizes."""

    passages: list[Passage]
    queries: dict[str, list[Query]]
    component_sizes: list[int]


def hashed(name: str) -> int:
    """A number from a name, the same on every machine (Python's own `hash` changes from run to run)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def candidates(passages: list[Passage]) -> Candidates:
    """Queries of every split that the passages allow, at most a few per component, in hashed order."""
    component = related_components(passages)
    sizes = Counter(component)
    by_component = defaultdict(list)
    for group in same_summary(passages).values():
        if len(group) <= MAX_RELEVANT:
            by_component[component[group[0]]].append(group)
    grades = graded_judgements(passages)
    queries = {split: [] for split in SPLITS}
    for first in sorted(by_component, key=lambda position: hashed(passages[position].passage_id)):
        split = side(passages[first].passage_id, sizes[first])
        groups = sorted(by_component[first], key=lambda group: hashed("query " + passages[group[0]].passage_id))
        found = [query_of(group, passages, grades if split == "graded" else None) for group in groups]
        usable = sorted(filter(is_gradable, found), key=lacks_sibling) if split == "graded" else found
        queries[split] += usable[: QUERIES_PER_COMPONENT[split]]
    queries["graded"].sort(key=lacks_sibling)  # See Also is common, siblings are not: they go first
    return Candidates(passages, queries, sorted(sizes.values(), reverse=True))


def side(name: str, size: int) -> str:
    """The split that a component belongs to."""
    if size > MAX_TEST_COMPONENT:
        return "train"
    percentile = hashed("split " + name) % 100
    return next(split for split, last in LAST_PERCENTILE.items() if percentile < last)


def graded_judgements(passages: list[Passage]) -> list[dict[int, int]]:
    """For each passage, the positions related to it with their grades; a position has its highest."""
    grades = [dict.fromkeys(positions, REFERRED) for positions in see_also_positions(passages)]
    for family in sibling_families(passages):
        for position in family:
            grades[position].update(dict.fromkeys(family, SIBLING))
    for position, judged in enumerate(grades):
        judged[position] = DESCRIBED
    return grades


def query_of(group: list[int], passages: list[Passage], grades: list[dict[int, int]] | None) -> Query:
    """The query that is the summary of a group of passages; without grades each of them has relevance 1."""
    judged = dict.fromkeys(group, 1)
    if grades is not None:
        for position in group:
            for other, grade in grades[position].items():
                judged[other] = max(grade, judged.get(other, 0))
    judgements = {passages[position].passage_id: grade for position, grade in judged.items()}
    first = passages[group[0]]
    return Query(first.passage_id, first.summary, dict(sorted(judgements.items())))


def is_gradable(query: Query) -> bool:
    """Whether a query has enough judged passages, and not so many that they are a template."""
    return MIN_GRADED_PASSAGES <= len(query.judgements) <= MAX_GRADED_PASSAGES


def lacks_sibling(query: Query) -> bool:
    """Whether no passage of a query has the middle grade."""
    return SIBLING not in query.judgements.values()


def select(found: Candidates, *, sizes: dict[str, int], passages: int | None) -> Collection:
    """A collection with the first queries of each split, their judged passages and others up to a number.

    Without a number of passages all are kept. A split has fewer queries where its components yield no more.
    """
    queries = {split: sorted(found.queries[split][: sizes[split]]) for split in SPLITS}
    judged = {name for split in SPLITS for query in queries[split] for name in query.judgements}
    rest = sorted((p.passage_id for p in found.passages if p.passage_id not in judged), key=hashed)
    room = len(rest) if passages is None else max(0, passages - len(judged))
    kept = judged.union(rest[:room])
    chosen = sorted((p for p in found.passages if p.passage_id in kept), key=lambda p: p.passage_id)
    return Collection(chosen, queries)
