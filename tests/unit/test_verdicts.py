"""Verdicts against cases made by hand."""

from decimal import Decimal

import pytest

from stillroom.published_numbers import Cell
from stillroom.verdicts import NOT_COMPARABLE, OFF, SAME, SAMPLED, WITHIN, verdict

CONDITIONS = {"passages": 8841823, "queries": 43, "judgements": "0:5158 1:1601", "min_relevance": 2, "depth": 1000}
DIGESTS = {"query_ids": "1f", "qrels": "2e"}
OURS = CONDITIONS | DIGESTS


def published(value, tolerance, conditions=CONDITIONS):
    """A cell with this value."""
    place = ("paper", "Table 1", "bm25", "a/set", "nDCG@10")
    return Cell(*place, Decimal(value), Decimal(tolerance), conditions, evidence="read", note="")


# ours, published, tolerance, the verdict, the difference
CASES = [
    (0.3444, "0.3444", "0.0005", SAME, "0"),
    (0.34444, "0.3444", "0.0005", SAME, "0.00004"),
    (0.34436, "0.3444", "0.0005", SAME, "-0.00004"),
    (0.34445, "0.3444", "0.0005", SAME, "0.00005"),  # rounds up or down: the publication may have done either
    (0.34446, "0.3444", "0.0005", WITHIN, "0.00006"),
    (0.3449, "0.3444", "0.0005", WITHIN, "0.0005"),  # the edge belongs to the better verdict
    (0.3439, "0.3444", "0.0005", WITHIN, "-0.0005"),
    (0.34491, "0.3444", "0.0005", OFF, "0.00051"),
    (0.3474, "0.347", "0.003", SAME, "0.0004"),
    (0.3444, "0.347", "0.003", WITHIN, "-0.0026"),
    (0.344, "0.347", "0.003", WITHIN, "-0.003"),
    (0.35, "0.347", "0.003", WITHIN, "0.003"),
    (0.3501, "0.347", "0.003", OFF, "0.0031"),
    (0.1875, "0.194", "0.003", OFF, "-0.0065"),
    (0.410, "0.410", "0.003", SAME, "0"),
    (1.0, "1.000", "0.003", SAME, "0"),
    (0.0, "0.000", "0.003", SAME, "0"),
]


@pytest.mark.parametrize(("ours", "value", "tolerance", "word", "difference"), CASES)
def test_a_verdict_is_about_the_published_digits_and_the_tolerance(ours, value, tolerance, word, difference):
    found = verdict(ours, published(value, tolerance), OURS)
    assert found == (word, Decimal(difference), "")


@pytest.mark.parametrize("noise", [-1e-15, 0.0, 1e-15, 3 * 0.1 - 0.3])
@pytest.mark.parametrize(("ours", "word"), [(0.347 + 0.003, WITHIN), (0.347 - 0.003, WITHIN), (0.3475, SAME)])
def test_the_noise_of_floats_decides_nothing_at_an_edge(ours, word, noise):
    assert verdict(ours + noise, published("0.347", "0.003"), OURS).word == word


# what is another condition here → how the reason reads
MISMATCHES = {
    "passages": (442091, "passages: 442,091 here, 8,841,823 there"),
    "queries": (6980, "judged queries: 6,980 here, 43 there"),
    "judgements": ("0:1 1:2", "judgements by grade: 0:1 1:2 here, 0:5158 1:1601 there"),
    "query_ids": ("9a", "queries (digest of their ids): 9a here, 1f there"),
    "qrels": ("9a", "judgements (digest): 9a here, 2e there"),
    "min_relevance": (1, "smallest grade that counts as relevant: 1 here, 2 there"),
    "depth": (100, "results per query: 100 here, 1,000 there"),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_what_was_measured_on_something_else_is_not_comparable_and_says_why(name):
    other, reason = MISMATCHES[name]
    found = verdict(0.347, published("0.347", "0.003", OURS), OURS | {name: other})
    assert found == (NOT_COMPARABLE, None, reason)


def test_what_was_measured_on_a_sample_is_not_comparable_even_if_another_one_had_as_many_passages():
    found = verdict(0.347, published("0.347", "0.003"), OURS, sampled=True)
    assert found == (NOT_COMPARABLE, None, SAMPLED)


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_is_published_without_saying_on_what_is_not_comparable(name):
    known = {key: value for key, value in OURS.items() if key != name}
    found = verdict(0.347, published("0.347", "0.003", known), OURS)
    assert found.word == NOT_COMPARABLE and found.difference is None
    assert found.reason.endswith(": not known of the publication")


@pytest.mark.parametrize("name", DIGESTS)
def test_digests_are_compared_where_they_are_known(name):
    known = {key: value for key, value in OURS.items() if key != name}
    assert verdict(0.347, published("0.347", "0.003", known), OURS).word == SAME
