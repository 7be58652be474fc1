"""Whether a number of ours is a published one.

Differences are exact decimals: the difference of two floats would decide at the edge of a tolerance by its noise.
"""

from decimal import Decimal
from typing import NamedTuple

from stillroom.published_numbers import CONDITIONS, Cell

SAME, WITHIN, OFF, NOT_COMPARABLE = "same", "within tolerance", "off", "not comparable"
VERDICTS = (SAME, WITHIN, OFF, NOT_COMPARABLE)
DECIMALS = 9  # of a mean; those behind are noise
WORDS = {
    "passages": "passages",
    "queries": "judged queries",
    "judgements": "judgements by grade",
    "query_ids": "queries (digest of their ids)",
    "qrels": "judgements (digest)",
    "min_relevance": "smallest grade that counts as relevant",
    "depth": "results per query",
}
DIGESTS = ("query_ids", "qrels")  # of what the numbers beside them count; publications hardly have them
SAMPLED = "only a sample of the passages is searched here"  # of which another one may have as many


class Verdict(NamedTuple):
    """One of VERDICTS; ours minus the published value, where the two may be compared, or why they may not be."""

    word: str
    difference: Decimal | None
    reason: str


def verdict(ours: float, published: Cell, conditions: dict, *, sampled: bool = False) -> Verdict:
    """What `ours`, measured under these conditions, is to a published number.

    `same`: the published digits are those of ours, which may be rounded either way; `within tolerance`: not further off
    than the publication's own tolerance. Both edges belong to the better verdict. Not comparable is what was measured
    on something else, or `sampled` here, and what is published without saying on what.
    """
    if reason := SAMPLED if sampled else mismatch(published.conditions, conditions):
        return Verdict(NOT_COMPARABLE, None, reason)
    difference = exact(ours) - published.value
    half_a_digit = Decimal(1).scaleb(published.value.as_tuple().exponent) / 2
    if abs(difference) <= half_a_digit:
        return Verdict(SAME, difference, "")
    return Verdict(WITHIN if abs(difference) <= published.tolerance else OFF, difference, "")


def mismatch(published: dict, ours: dict) -> str:
    """The first condition that is not known of the publication, or is another one here; no text if all agree."""
    for name in CONDITIONS:
        if name not in published:
            if name in DIGESTS:
                continue
            return f"{WORDS[name]}: not known of the publication"
        if published[name] != ours[name]:
            return f"{WORDS[name]}: {shown(ours[name])} here, {shown(published[name])} there"
    return ""


def exact(value: float) -> Decimal:
    """A mean as the decimal that its float stands for."""
    return Decimal(str(round(float(value), DECIMALS)))


def shown(condition: int | str) -> str:
    """A condition in print."""
    return f"{condition:,}" if isinstance(condition, int) else condition
