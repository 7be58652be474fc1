"""The figure of a teacher: how its scores and its students' part relevant passages from others."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from stillroom.figures.captions import scores_caption
from stillroom.figures.style import BLUE, PALE, house_style, name_axes, panels, say_missing, set_title, write_figure
from stillroom.parquet import open_parquet
from stillroom.runs import iter_rankings, read_qrels
from stillroom.triples import SCORES

BINS = 40


class Scores(NamedTuple):
    """What a ranker gives relevant passages, and others."""

    title: str
    relevant: np.ndarray
    others: np.ndarray

    @property
    def gap(self) -> float:
        """By how much the means are apart; nothing where one of the two is not there."""
        return float(self.relevant.mean() - self.others.mean()) if len(self.relevant) and len(self.others) else 0.0


def plot_scores(
    *,
    settings: dict,
    scores_path: str | Path,
    qrels_path: str | Path,
    run_paths: Sequence[str],
    svg_path: str | Path,
    png_path: str | Path,
) -> None:
    """Draw histograms of the scores of relevant and other passages: of the teacher's triples, and of runs.

    Of a run the first passages of every query, as many as are re-ranked. Searches return what vectors give, training
    divides it by a temperature: so is it here, to be on the scale of what the student learnt.
    """
    qrels = read_qrels(qrels_path)
    relevant = qrels.loc[qrels["grade"] >= settings["min_relevance"], ["query_id", "passage_id"]]
    there = [row for row in settings["rows"] if row["run"] in run_paths]
    found = [Scores(f"{settings['teacher']} (teacher)\ntraining triples", *triple_scores(scores_path))]
    for row in there:
        title = f"{row['label']} ({row['role']})\n{settings['test_set']}, {row['way']}"
        relevant_scores, others = run_scores(row["run"], relevant, settings["depth"])
        found.append(Scores(title, relevant_scores / row["temperature"], others / row["temperature"]))
    with house_style():
        figure, all_axes = panels(len(found), columns=3, size=(3.3, 2.1))
        draw(all_axes, found)
        figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        gaps = [(" on ".join(scores.title.split("\n")), scores.gap) for scores in found]
        missing = [row["label"] for row in settings["rows"] if row not in there]
        caption = say_missing(figure, scores_caption(settings["teacher"], gaps), missing)
        write_figure(figure, caption, svg_path, png_path)


def triple_scores(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """A teacher's scores of the relevant and the other passages of all triples that it has scores for."""
    columns = [[], []]
    for batch in open_parquet(path).iter_batches(columns=SCORES):
        for parts, name in zip(columns, SCORES, strict=True):
            scores = batch[name].to_numpy(zero_copy_only=False).astype(np.float32)
            parts.append(scores[~np.isnan(scores)])
    relevant, others = (np.concatenate([*parts, np.empty(0, np.float32)]) for parts in columns)
    return relevant, others


def run_scores(path: str | Path, relevant, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """A run's scores of relevant passages and of others, among the first of every query."""
    parts = []
    for lines in iter_rankings(path):
        first = lines[lines["rank"] <= depth].merge(relevant, how="left", indicator="found")
        parts.append((first["score"].to_numpy(np.float32), (first["found"] == "both").to_numpy()))
    scores, is_relevant = (np.concatenate(each) for each in zip(*parts, strict=True))
    return scores[is_relevant], scores[~is_relevant]


def draw(all_axes: list[Axes], found: list[Scores]) -> None:
    """A panel each, all as many points of score wide: what a student took over of its teacher's scale shows."""
    limits = [(min(map(np.min, both)), max(map(np.max, both))) for both in map(both_of, found)]
    width = 1.05 * max(high - low for low, high in limits) or 1.0
    for axes, scores, (low, high) in zip(all_axes, found, limits, strict=True):
        start = (low + high - width) / 2
        edges = np.linspace(start, start + width, BINS + 1)
        for values, name, look in (
            (scores.others, "other passages", {"color": PALE, "fill": True}),
            (scores.relevant, "relevant passages", {"color": BLUE, "hatch": "////", "linewidth": 1.2}),
        ):
            axes.stairs(100 * np.histogram(values, edges)[0] / max(1, len(values)), edges, label=name, **look)
        set_title(axes, scores.title)
        axes.set_xlim(edges[0], edges[-1])
        axes.tick_params(labelsize="x-small")
    name_axes(all_axes, x="score", y="% of passages")


def both_of(scores: Scores) -> list[np.ndarray]:
    """The scores of both kinds, as far as there are any."""
    return [values for values in (scores.relevant, scores.others) if len(values)] or [np.zeros(1)]
