"""How closely a run of ours is that of a publication: by rank, by effect and by query, with repro_eval.

A mean that agrees may come about by other passages for other queries. Breuer et al. 2020 (doi:10.1145/3397271.3401036)
define the measures.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.stats import ttest_1samp

from stillroom.files import read_json, write_json
from stillroom.runs import iter_rankings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports scipy.stats.stats
    from repro_eval.measure.document_order import KTU, RBO
    from repro_eval.measure.overall_effects import ER

DEPTH = 100  # of both runs that is compared
PERSISTENCE = 0.9  # p of rank-biased overlap: the first ten passages have about 86 % of its weight at p = .9
Rankings = dict[str, dict[str, float]]  # query → passage → score, the best first


def compare_runs(
    *,
    settings: dict,
    run_paths: list[str],
    metrics_paths: list[str],
    reference_run_path: str | Path,
    reference_metrics_path: str | Path,
    baseline_metrics_paths: list[str],
    reference_baseline_metrics_paths: list[str],
    comparison_path: str | Path,
) -> None:
    """Write how our runs, one per seed, compare with the publication's.

    `settings` have the margin of each measure. Without baselines there is no effect ratio.
    """
    ours, reference = [read_json(path) for path in metrics_paths], read_json(reference_metrics_path)
    ranked = first_passages(reference_run_path)
    each = [rank_correlations(first_passages(path), ranked) for path in run_paths]
    both = (baseline_metrics_paths, reference_baseline_metrics_paths)
    baselines = [[read_json(path) for path in paths] for paths in both]
    measures = {
        measure: {
            **equivalence(values_by_query(ours, measure), values_by_query([reference], measure), margin),
            "effect_ratio": effect_ratio(measure, ours, [reference], *baselines),
        }
        for measure, margin in settings["margins"].items()
    }
    means = {name: float(np.mean([found[name] for found in each])) for name in each[0]}
    systems = [content["system"] for content in ours]
    facts = {"systems": systems, "reference": reference["system"], "test_set": reference["test_set"]}
    write_json(comparison_path, {**facts, "depth": DEPTH, "persistence": PERSISTENCE, **means, "measures": measures})


def first_passages(run_path: str | Path) -> Rankings:
    """The first passages of each query."""
    rankings: Rankings = {}
    for lines in iter_rankings(run_path):
        for query_id, first in lines[lines["rank"] <= DEPTH].groupby("query_id", sort=False):
            rankings[query_id] = dict(zip(first["passage_id"], first["score"], strict=True))
    return rankings


def rank_correlations(run: Rankings, reference: Rankings) -> dict[str, float]:
    """The mean rank-biased overlap over all queries, and the mean τ union over those that both runs rank.

    A query that only one of the runs has counts as no overlap. τ, of two rankings of one length, is of as many
    passages as the shorter has, and needs two.
    """
    both = [query_id for query_id in reference if query_id in run]
    overlap = sum(rank_biased_overlap(run[query_id], reference[query_id]) for query_id in both)
    lengths = {query_id: min(len(run[query_id]), len(reference[query_id])) for query_id in both}
    ranked = [query_id for query_id in both if lengths[query_id] > 1]
    taus = KTU(cut(reference, ranked, lengths), cut(run, ranked, lengths), per_topic=True)
    return {
        "rank_biased_overlap": overlap / len(run.keys() | reference.keys()),
        "tau_union": float(np.mean([*taus.values()])) if taus else float("nan"),
        "queries_in_both": len(both),
    }


def rank_biased_overlap(run: dict[str, float], reference: dict[str, float]) -> float:
    """That of one query, as deep as the longer of both: further down repro_eval takes equal rankings for others."""
    depth = max(len(run), len(reference))
    return RBO({"": dict(reference)}, {"": dict(run)}, p=PERSISTENCE, depth=depth, pbar=False, per_topic=False)


def cut(rankings: Rankings, query_ids: list[str], lengths: dict[str, int]) -> Rankings:
    """As many of the first passages of each query as it may have."""
    return {query_id: dict([*rankings[query_id].items()][: lengths[query_id]]) for query_id in query_ids}


def values_by_query(contents: Iterable[dict], measure: str) -> dict[str, float]:
    """A measure by query, averaged over the seeds."""
    each = [content["measures"][measure]["by_query"] for content in contents]
    return {query_id: float(np.mean([values[query_id] for values in each])) for query_id in sorted(each[0])}


def equivalence(ours: dict[str, float], reference: dict[str, float], margin: float) -> dict[str, float]:
    """Whether the mean difference is within the margin by more than chance: the larger p-value of two one-sided tests.

    Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach"; t-tests over queries.
    """
    differences = np.array([ours[query_id] - reference[query_id] for query_id in reference])
    mean = float(differences.mean())
    if np.ptp(differences) == 0:  # no variance to test with
        p_value = 0.0 if abs(mean) < margin else 1.0
    else:
        above = ttest_1samp(differences, -margin, alternative="greater").pvalue
        below = ttest_1samp(differences, margin, alternative="less").pvalue
        p_value = float(max(above, below))
    return {"difference": mean, "margin": margin, "equivalence_p": p_value}


def effect_ratio(
    measure: str, ours: list[dict], reference: list[dict], baseline: list[dict], reference_baseline: list[dict]
) -> float | None:
    """Our improvement on the baseline as a share of the publication's; None where there is none to share."""
    if not baseline or not reference_baseline:
        return None
    sides = [
        {query_id: {measure: value} for query_id, value in values_by_query(contents, measure).items()}
        for contents in (reference, reference_baseline, ours, baseline)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = ER(*sides)[measure]
    return ratio if np.isfinite(ratio) else None
