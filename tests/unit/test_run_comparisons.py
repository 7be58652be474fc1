"""How close two runs are, against definitions written out."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy.stats import t as student_t

from stillroom.run_comparisons import compare_runs, effect_ratio, equivalence, first_passages, rank_correlations
from stillroom.runs import Ranking, write_run

RANDOM = np.random.default_rng(5)


def rankings(queries, depth, shuffled=0):
    """Rankings of passages by decreasing score; some passages change places."""
    found = {}
    for number in range(queries):
        order = [f"p{(number * 7 + place) % 40}" for place in range(depth)]
        for _ in range(shuffled):
            one, other = RANDOM.integers(0, depth, 2)
            order[one], order[other] = order[other], order[one]
        found[f"q{number}"] = {passage_id: float(depth - place) for place, passage_id in enumerate(order)}
    return found


def overlap(one, other, p=0.9):
    """Rank-biased overlap of Webber et al. 2010, as deep as the longer, and divided by what equal rankings have."""
    depth = max(len(one), len(other))
    weights = [p**place for place in range(depth)]
    agreements = [len({*one[:n]} & {*other[:n]}) / n for n in range(1, depth + 1)]
    return sum(w * a for w, a in zip(weights, agreements, strict=True)) / sum(weights)


def tau_union(one, other):
    """τ-b over the places of the ids in the sorted union, pair by pair."""
    union = sorted({*one, *other})
    left, right = ([union.index(passage_id) for passage_id in ids] for ids in (one, other))
    pairs = itertools.combinations(range(len(left)), 2)
    return sum(np.sign(left[i] - left[j]) * np.sign(right[i] - right[j]) for i, j in pairs) / math.comb(len(left), 2)


@pytest.mark.parametrize("shuffled", [0, 1, 5, 40])
def test_rank_correlations_are_those_of_their_definitions(shuffled):
    one, other = rankings(6, 30), rankings(6, 30, shuffled)
    found = rank_correlations(one, other)
    orders = [([*one[query_id]], [*other[query_id]]) for query_id in one]
    assert found["rank_biased_overlap"] == pytest.approx(np.mean([overlap(*pair) for pair in orders]))
    assert found["tau_union"] == pytest.approx(np.mean([tau_union(*pair) for pair in orders]))
    assert found["queries_in_both"] == 6
    if shuffled == 0:
        assert found["tau_union"] == 1 and found["rank_biased_overlap"] == pytest.approx(1)


def test_queries_and_passages_that_one_run_lacks_count_as_no_overlap_and_no_tau():
    one, other = rankings(4, 10), rankings(4, 10)
    del one["q3"]
    other["q0"] = dict([*other["q0"].items()][:4])
    other["q1"] = dict([*other["q1"].items()][:1])
    found = rank_correlations(one, other)
    orders = [([*one[name]], [*other[name]]) for name in ("q0", "q1", "q2")]
    assert found["rank_biased_overlap"] == pytest.approx(sum(overlap(*pair) for pair in orders) / 4)
    assert found["tau_union"] == 1 and found["queries_in_both"] == 3


def tost(differences, margin):
    """The larger p-value of two one-sided t-tests, from the formula."""
    count, error = len(differences), np.std(differences, ddof=1) / math.sqrt(len(differences))
    above = student_t.sf((np.mean(differences) + margin) / error, count - 1)
    below = student_t.cdf((np.mean(differences) - margin) / error, count - 1)
    return max(above, below)


@pytest.mark.parametrize(("shift", "margin"), [(0.0, 0.01), (0.004, 0.003), (-0.02, 0.003), (0.001, 0.05)])
def test_equivalence_is_tested_by_two_one_sided_t_tests(shift, margin):
    reference = {f"q{n}": value for n, value in enumerate(RANDOM.uniform(0, 1, 50).tolist())}
    ours = {query_id: value + shift + float(RANDOM.normal(0, 0.02)) for query_id, value in reference.items()}
    found = equivalence(ours, reference, margin)
    differences = [ours[query_id] - reference[query_id] for query_id in reference]
    assert found["equivalence_p"] == pytest.approx(tost(differences, margin), abs=1e-12)
    assert found["difference"] == pytest.approx(np.mean(differences)) and found["margin"] == margin


def test_equal_runs_are_equivalent_and_a_fixed_difference_is_within_the_margin_or_not():
    values = {"q1": 0.25, "q2": 0.5}
    assert equivalence(values, values, 0.003)["equivalence_p"] == 0
    assert equivalence({"q1": 0.5, "q2": 0.75}, values, 0.003)["equivalence_p"] == 1


def content(system, values):
    by_query = {f"q{n}": value for n, value in enumerate(values)}
    return {"system": system, "test_set": "dev", "measures": {"RR@10": {"mean": np.mean(values), "by_query": by_query}}}


def test_the_effect_ratio_is_our_improvement_over_theirs():
    base, theirs = content("bm25", [0.1, 0.3]), content("theirs", [0.5, 0.7])
    seeds = [content("a", [0.4, 0.5]), content("b", [0.5, 0.6])]
    assert effect_ratio("RR@10", seeds, [theirs], [base], [base]) == pytest.approx((0.5 - 0.2) / (0.6 - 0.2))
    assert effect_ratio("RR@10", seeds, [theirs], [], []) is None
    assert effect_ratio("RR@10", seeds, [base], [base], [base]) is None  # they do not improve on it


def test_a_comparison_has_all_of_it_for_the_mean_of_the_seeds(tmp_path):
    runs, metrics = [], []
    contents = {name: content(name, RANDOM.uniform(0, 1, 5).tolist()) for name in ("a", "b", "theirs", "bm25")}
    for name, found in {"a": rankings(5, 12, 3), "b": rankings(5, 12, 9), "theirs": rankings(5, 12)}.items():
        ranked = [Ranking(key, np.array([*value]), np.array([*value.values()])) for key, value in found.items()]
        write_run(tmp_path / f"{name}.trec", ranked, name)
        runs.append(tmp_path / f"{name}.trec")
    for name, each in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
        metrics.append(tmp_path / f"{name}.json")
    compare_runs(
        settings={"margins": {"RR@10": 0.01}},
        run_paths=runs[:2],
        metrics_paths=metrics[:2],
        reference_run_path=runs[2],
        reference_metrics_path=metrics[2],
        baseline_metrics_paths=metrics[3:],
        reference_baseline_metrics_paths=metrics[3:],
        comparison_path=tmp_path / "found.json",
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["systems"], found["reference"], found["test_set"]) == (["a", "b"], "theirs", "dev")
    each = [rank_correlations(first_passages(run), first_passages(runs[2])) for run in runs[:2]]
    for name in ("rank_biased_overlap", "tau_union"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in each]))
    means = {name: one["measures"]["RR@10"]["mean"] for name, one in contents.items()}
    ratio = ((means["a"] + means["b"]) / 2 - means["bm25"]) / (means["theirs"] - means["bm25"])
    assert found["measures"]["RR@10"]["effect_ratio"] == pytest.approx(ratio)
    assert found["measures"]["RR@10"]["margin"] == 0.01
