"""Near-duplicate texts, found exactly, and the connected components of any relation."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil

SHINGLE_WORDS = 3


def shingles(text: str, size: int = SHINGLE_WORDS) -> frozenset[tuple[str, ...]]:
    """The runs of `size` words in a text, lower case, each once."""
    words = text.lower().split()
    return frozenset(zip(*(words[start:] for start in range(size)), strict=False))


def jaccard(one: frozenset, other: frozenset) -> float:
    """Share of two sets' members that are in both; 0 if both are empty."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) if common else 0.0


def near_duplicates(sets: Sequence[frozenset], threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose sets have a Jaccard similarity of at least the threshold.

    Exact. Two such sets share at least the threshold's share of the members of each, so with members in one
    fixed order (rarest first) their first n - threshold * n + 1 members (n: size of the set) must meet; only
    sets that do are compared (Chaudhuri et al. 2006, "A Primitive Operator for Similarity Joins in Data
    Cleaning").
    """
    frequency = Counter(member for members in sets for member in members)
    seen_with: dict[Hashable, list[int]] = defaultdict(list)
    for position, members in enumerate(sets):
        candidates = set()
        for member in prefix(members, frequency, threshold):
            candidates.update(seen_with[member])
            seen_with[member].append(position)
        for other in sorted(candidates):
            if jaccard(members, sets[other]) >= threshold:
                yield other, position


def prefix(members: frozenset, frequency: Counter, threshold: float) -> list:
    """The rarest members of a set, so many that a similar set has one of them; those in no other set go."""
    length = len(members) - ceil(threshold * len(members)) + 1
    ordered = sorted(members, key=lambda member: (frequency[member], member))
    return [member for member in ordered[:length] if frequency[member] > 1]


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` items the smallest item that the pairs connect it to, directly or not."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in pairs:
        smaller, larger = sorted((root(one), root(other)))
        parent[larger] = smaller
    return [root(item) for item in range(count)]


def chained(groups: Iterable[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Pairs that connect the members of each group: every member with the one before it."""
    for group in groups:
        yield from pairwise(group)
