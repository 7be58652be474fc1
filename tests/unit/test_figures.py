"""What figures show is what the files say."""

import json
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from stillroom.batch_margins import BATCHES, SAMPLERS, draw_batches
from stillroom.figures import clusters, costs, gains, margins, scores, training
from stillroom.figures.captions import read_caption
from stillroom.figures.style import house_style, panels
from stillroom.runs import Ranking, write_qrels, write_run

RANDOM = np.random.default_rng(11)


@pytest.fixture
def pictures(tmp_path):
    """Where a figure is written."""
    return {"svg_path": tmp_path / "figure.svg", "png_path": tmp_path / "figure.png"}


@pytest.fixture
def write_metrics(tmp_path):
    """A function from a test set, a system and values by query to the path of a metrics file."""

    def write(test_set, system, values):
        by_query = {f"q{number}": float(value) for number, value in enumerate(values)}
        measures = {"RR@10": {"mean": float(np.mean(values)), "by_query": by_query}}
        path = tmp_path / f"{test_set}-{system.replace('/', '-')}.json"
        path.write_text(json.dumps({"test_set": test_set, "system": system, "measures": measures}))
        return str(path)

    return write


def two_bytes(pictures):
    return tuple(path.read_bytes() for path in pictures.values())


# Gains and losses

GAINS = {
    "title": "Main",
    "test_set": "dev",
    "measure": "RR@10",
    "baseline": {"label": "BM25", "system": "bm25"},
    "rows": [
        {"label": "One", "systems": ["one/seed-1/exact"]},
        {"label": "Two", "systems": ["two/seed-1/exact", "two/seed-2/exact"]},
        {"label": "Absent", "systems": ["absent/seed-1/exact"]},
    ],
}


def test_gains_are_sorted_differences_of_means_over_seeds(write_metrics, pictures):
    paths = [
        write_metrics("dev", "bm25", [0.5, 1.0, 0.0, 0.25]),
        write_metrics("dev", "one/seed-1/exact", [1.0, 0.5, 0.0, 0.25]),
        write_metrics("dev", "two/seed-1/exact", [1.0, 1.0, 1.0, 1.0]),
        write_metrics("dev", "two/seed-2/exact", [0.0, 1.0, 0.5, 1.0]),
    ]
    found, missing = gains.gains_of(GAINS, paths)
    assert [(one.label, one.values.tolist(), one.counts) for one in found] == [
        ("One", [0.5, 0, 0, -0.5], (1, 2, 1)),
        ("Two", [0.75, 0.75, 0, 0], (2, 2, 0)),
    ]
    assert missing == ["absent/seed-1/exact"]
    gains.plot_gains(settings=GAINS, metrics_paths=paths, **pictures)
    text = read_caption(pictures["svg_path"]).text
    assert "MRR@10 to BM25 on each of 4 queries" in text
    assert "One better on 1, equal on 2, worse on 1; Two better on 2, equal on 2, worse on 0." in text
    assert text.endswith("Not there yet: absent/seed-1/exact.")
    first = two_bytes(pictures)
    gains.plot_gains(settings=GAINS, metrics_paths=paths, **pictures)
    assert two_bytes(pictures) == first


def test_bars_are_as_high_as_the_gains_and_their_numbers_stand_beside_them():
    axes = Figure().subplots()
    values = np.array([1.0, 0.5, 0.5, 0.0, -0.25])
    gains.draw(axes, gains.Gains("TAS-B", values))
    up, down = (patch.get_data().values for patch in axes.patches)
    edges = axes.patches[0].get_data().edges
    assert np.repeat(up + down, np.diff(edges).astype(int)).tolist() == values.tolist()
    assert axes.get_title() == "TAS-B"
    assert [text.get_text() for text in axes.texts] == ["+3  =1  −1\nmean +0.350"]


def test_queries_by_the_thousand_make_no_large_picture(write_metrics, pictures):
    ranks = np.array([1 / rank for rank in range(1, 11)] + [0])
    paths = [
        write_metrics("dev", system, RANDOM.choice(ranks, 6980))
        for system in ("bm25", "one/seed-1/exact", "two/seed-1/exact")
    ]
    gains.plot_gains(settings=GAINS, metrics_paths=paths, **pictures)
    assert pictures["svg_path"].stat().st_size < 150_000


# Effectiveness against latency

COSTS = {
    "title": "Costs",
    "test_sets": ["dev", "dl"],
    "measure": "RR@10",
    "baseline": {"label": "BM25", "system": "bm25"},
    "teachers": ["no teacher", "teacher t1"],
    "points": [
        {"name": "Cat", "label": "CAT", "timed": "cat/seed-1/rerank", "teacher": "no teacher",
         "systems": ["cat/seed-1/rerank", "cat/seed-2/rerank"]},
        {"name": "Dot", "label": "DOT", "timed": "dot/seed-1/rerank", "teacher": "no teacher",
         "systems": ["dot/seed-1/rerank"]},
        {"name": "Dot, taught", "label": "DOT", "timed": "dot/seed-1/rerank", "teacher": "teacher t1",
         "systems": ["taught/seed-1/rerank"]},
        {"name": "Late", "label": "TK", "timed": "tk/seed-1/rerank", "teacher": "teacher t1",
         "systems": ["tk/seed-1/rerank"]},
    ],
}  # fmt: skip


@pytest.fixture
def measured(write_metrics, tmp_path):
    """Paths of costs, and of metrics on two test sets: cat has two seeds, TK was not timed."""
    means = {"bm25": 0.3, "cat/seed-1/rerank": 0.5, "cat/seed-2/rerank": 0.6, "dot/seed-1/rerank": 0.35,
             "taught/seed-1/rerank": 0.4, "tk/seed-1/rerank": 0.2}  # fmt: skip
    metrics = [
        write_metrics(test_set, system, [mean - 0.1, mean + 0.1])
        for test_set in COSTS["test_sets"]
        for system, mean in means.items()
    ]
    timed = []
    for name, milliseconds in {"cat": 2000.0, "dot": 20.0}.items():
        timed.append(str(tmp_path / f"{name}.json"))
        cost = {"system": f"{name}/seed-1/rerank", "milliseconds": milliseconds, "passages": 1000}
        (tmp_path / f"{name}.json").write_text(json.dumps(cost))
    return timed, metrics


def test_points_are_latency_and_effectiveness_and_every_teacher_is_in_the_legend(measured, pictures):
    timed, metrics = measured
    found, missing = costs.points_of(
        COSTS, {"cat/seed-1/rerank": {"milliseconds": 2000.0}}, costs.read_metrics(metrics)
    )
    assert [(point.label, point.values["dev"]) for point in found] == [("CAT", pytest.approx(0.55))]
    assert missing == ["Dot", "Dot, taught", "Late"]

    files = {"efficiency_paths": timed, "metrics_paths": metrics}
    costs.plot_costs(settings=COSTS, **files, **pictures)
    text = read_caption(pictures["svg_path"]).text
    assert "with the best MRR@10 on dev: DOT 20.0 ms, .400; CAT 2,000 ms, .550." in text
    assert text.endswith("Not there yet: Late.")
    first = two_bytes(pictures)
    costs.plot_costs(settings=COSTS, **files, **pictures)
    assert two_bytes(pictures) == first


def test_marks_of_one_architecture_stand_above_each_other_and_share_its_name(measured):
    points = [
        costs.Point("CAT", 2000.0, "no teacher", {"dev": 0.55}),
        costs.Point("DOT", 20.0, "no teacher", {"dev": 0.35}),
        costs.Point("DOT", 20.0, "teacher t1", {"dev": 0.4}),
    ]
    axes = Figure().subplots()
    costs.draw(axes, points, "dev", COSTS["teachers"])
    costs.draw_baseline(axes, COSTS, costs.read_metrics(measured[1]), "dev")
    drawn = {line.get_label(): line for line in axes.lines}
    assert list(drawn) == ["no teacher", "teacher t1", "BM25"]
    assert drawn["no teacher"].get_xydata().tolist() == [[2000, 0.55], [20, 0.35]]
    assert drawn["teacher t1"].get_xydata().tolist() == [[20, 0.4]]
    assert drawn["no teacher"].get_marker() != drawn["teacher t1"].get_marker()
    assert drawn["BM25"].get_ydata() == pytest.approx([0.3, 0.3])
    assert [text.get_text() for text in axes.texts] == ["CAT", "DOT"]


def test_no_name_covers_a_mark_or_another_name():
    """Two architectures that take equally long, and two nearly so, of which one has a mark where a name could be."""
    columns = {"BERT_Dot": (7.0, [0.50, 0.51]), "DPR": (7.1, [0.50, 0.512]), "PreTTR": (9000, [0.530, 0.537]),
               "BERT_CAT": (12000, [0.530, 0.533]), "BERT_CAT, 6 layers": (30000, [0.567])}  # fmt: skip
    points = [
        costs.Point(label, milliseconds, "no teacher", {"dev": value})
        for label, (milliseconds, values) in columns.items()
        for value in values
    ]
    with house_style():
        figure, (axes,) = panels(1, columns=1, size=(5.2, 4.0))
        costs.draw(axes, points, "dev", ["no teacher"])
        figure.draw_without_rendering()
        names = [text.get_window_extent() for text in axes.texts]
        marks = axes.transData.transform(axes.lines[0].get_xydata())
    assert [text.get_text() for text in axes.texts] == [*columns]
    assert not any(one.overlaps(other) for one, other in combinations(names, 2))
    assert not any(name.contains(*mark) for name in names for mark in marks)


# Scores


def test_scores_are_parted_by_the_judgements_and_of_the_first_passages_only(tmp_path):
    run, qrels = tmp_path / "run.trec", tmp_path / "qrels.txt"
    write_run(run, [Ranking("q1", ["a", "b", "c"], [3.0, 2.0, 1.0]), Ranking("q2", ["a", "d"], [9.0, 8.0])], "it")
    write_qrels(qrels, [("q1", "b", 2), ("q1", "c", 3), ("q2", "a", 1), ("q2", "d", 2)])
    table = scores.read_qrels(qrels)
    relevant = table.loc[table["grade"] >= 2, ["query_id", "passage_id"]]
    found = scores.run_scores(run, relevant, depth=2)
    assert [sorted(values.tolist()) for values in found] == [[2, 8], [3, 9]]


@pytest.fixture
def scored(tmp_path):
    """Settings and files of a teacher with one student there and one that is not."""
    names = {"pos_score": [3.0, None, 5.0], "neg_score": [1.0, 1.0, None]}
    pq.write_table(
        pa.table({name: pa.array(values, pa.float32()) for name, values in names.items()}), tmp_path / "t.parquet"
    )
    run = tmp_path / "run.trec"
    write_run(run, [Ranking("q1", [f"p{number}" for number in range(50)], RANDOM.normal(0, 30, 50))], "it")
    write_qrels(tmp_path / "qrels.txt", [("q1", "p1", 1), ("q1", "p2", 1)])
    row = {"role": "student", "system": "one/seed-1/rerank", "way": "rerank", "temperature": 1.0}
    rows = [{**row, "label": "One", "run": str(run)}, {**row, "label": "Absent", "run": "not/there.trec"}]
    settings = {"teacher": "t1", "test_set": "dev", "min_relevance": 1, "depth": 1000, "rows": rows}
    paths = {"scores_path": tmp_path / "t.parquet", "qrels_path": tmp_path / "qrels.txt", "run_paths": [str(run)]}
    return {"settings": settings, **paths}


def test_the_teachers_scores_are_those_of_its_triples_where_it_has_any(scored, pictures):
    relevant, others = scores.triple_scores(scored["scores_path"])
    assert (relevant.tolist(), others.tolist()) == ([3, 5], [1, 1])
    scores.plot_scores(**scored, **pictures)
    text = read_caption(pictures["svg_path"]).text
    assert "t1 (teacher) on training triples 3.00; One (student) on dev, rerank" in text
    assert text.endswith("Not there yet: Absent.")
    first = two_bytes(pictures)
    scores.plot_scores(**scored, **pictures)
    assert two_bytes(pictures) == first


def test_scores_of_a_search_are_divided_by_the_temperature_of_the_training(scored, pictures):
    scored["settings"]["rows"][0]["temperature"] = 0.1
    gap = scores.Scores("", *scores.run_scores(scored["run_paths"][0], relevant_of(scored), 1000)).gap
    scores.plot_scores(**scored, **pictures)
    assert f"One (student) on dev, rerank {gap / 0.1:.2f}." in read_caption(pictures["svg_path"]).text


def relevant_of(scored):
    """The judgements of the fixture, as a figure reads them."""
    return scores.read_qrels(scored["qrels_path"])[["query_id", "passage_id"]]


def test_shares_of_each_kind_sum_to_all_of_it_and_panels_have_one_scale():
    found = [
        scores.Scores("teacher", RANDOM.normal(10, 2, 100), RANDOM.normal(0, 2, 1000)),
        scores.Scores("student", RANDOM.normal(100, 1, 7), RANDOM.normal(99, 1, 1000)),
        scores.Scores("none", np.empty(0), np.zeros(1)),
    ]
    axes = Figure().subplots(1, 3)
    scores.draw([*axes], found)
    for panel, one in zip(axes, found, strict=True):
        others, relevant = (patch.get_data() for patch in panel.patches)
        assert sum(others.values) == pytest.approx(100)
        assert sum(relevant.values) == pytest.approx(100 if len(one.relevant) else 0)
        assert panel.get_title() == one.title
    assert len({round(float(np.ptp(panel.get_xlim())), 6) for panel in axes}) == 1


# Training curves


@pytest.fixture
def trainings(tmp_path):
    """Settings and curves of two rankers, one with two seeds, and of one that is not trained yet."""
    settings = {"rankers": []}
    for name, seeds in {"dot": 2, "cat": 1, "absent": 1}.items():
        paths = [tmp_path / f"{name}/seed-{seed}/training.jsonl" for seed in range(1, seeds + 1)]
        settings["rankers"].append({"name": name, "curves": [*map(str, paths)]})
        for path in paths if name != "absent" else []:
            path.parent.mkdir(parents=True)
            lines = [{"step": step, "loss": 1 / step} for step in range(10, 60, 10)]
            lines[-1] |= {"nDCG@10": 0.5 + len(name) / 100}
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return settings


def test_curves_are_what_was_logged_a_panel_for_each_ranker(trainings, pictures):
    there = [path for ranker in trainings["rankers"][:2] for path in ranker["curves"]]
    lines = training.read_lines(there[0])
    assert training.curve(lines, "loss") == [(step, 1 / step) for step in range(10, 60, 10)]
    assert training.curve(lines, "nDCG@10") == [(50, 0.53)]
    training.plot_training(settings=trainings, curve_paths=there, **pictures)
    text = read_caption(pictures["svg_path"]).text
    assert "Training loss over steps of 2 trainings" in text and "Not there yet: absent/seed-1." in text
    first = two_bytes(pictures)
    training.plot_training(settings=trainings, curve_paths=there, **pictures)
    assert two_bytes(pictures) == first


def test_panels_name_their_ranker_and_have_a_line_for_each_seed(trainings):
    axes = Figure().subplots()
    curves = [training.read_lines(path) for path in trainings["rankers"][0]["curves"]]
    right = training.draw(axes, "dot", curves)
    assert axes.get_title() == "dot, 2 seeds"
    assert len(axes.lines) == len(right.lines) == 2
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert axes.lines[0].get_ydata().tolist() == [1 / step for step in range(10, 60, 10)]


def test_losses_that_are_few_are_marked(trainings):
    axes = Figure().subplots()
    training.draw(axes, "dot", [[{"step": 10, "loss": 1.0}]])
    assert axes.lines[0].get_marker() == "."


def test_long_curves_are_thinned_out_to_means_of_neighbours():
    lines = [{"step": step, "loss": loss} for step, loss in enumerate(RANDOM.normal(size=90_000).tolist(), 1)]
    points = np.array(training.curve(lines, "loss"))
    assert len(points) == training.POINTS
    assert points.mean(axis=0) == pytest.approx([45_000.5, np.mean([line["loss"] for line in lines])], abs=0.01)
    assert (np.diff(points[:, 0]) > 0).all()


# Batches and clusters


@pytest.fixture
def batches(tmp_path):
    """A file of batches: most triples have small margins, a few of each query large ones."""
    queries = np.repeat(np.arange(60), 20)
    margin = np.where(np.arange(1200) % 20 < 2, 20, RANDOM.normal(1, 0.5, 1200))
    columns = {"query": queries, "positive": queries, "negative": 100 + np.arange(1200)}
    pq.write_table(
        pa.table({name: pa.array(values, pa.int32()) for name, values in columns.items()}), tmp_path / "t.parquet"
    )
    both = {"pos_score": pa.array(margin, pa.float32()), "neg_score": pa.array(np.zeros(1200), pa.float32())}
    pq.write_table(pa.table(both), tmp_path / "s.parquet")
    cluster = pa.array(np.arange(61) % 3, pa.int32(), mask=np.arange(61) == 60)
    pq.write_table(
        pa.table({"query_id": [f"q{number}" for number in range(61)], "cluster": cluster}), tmp_path / "c.parquet"
    )
    draw_batches(
        settings={"batch_size": 16, "positives": 1, "negatives": 1},
        seed=3,
        triples_path=tmp_path / "t.parquet",
        teacher_scores_path=tmp_path / "s.parquet",
        clusters_path=tmp_path / "c.parquet",
        batches_path=tmp_path / "batches.parquet",
    )
    return tmp_path / "batches.parquet"


def test_batches_are_the_samplers_own_and_balanced_ones_have_more_large_margins(batches):
    table = pq.read_table(batches).to_pandas()
    assert list(dict.fromkeys(table["sampler"])) == [*SAMPLERS]
    assert (table.groupby(["sampler", "batch"]).size() == 16).all() and table["batch"].nunique() == BATCHES
    large = (table["margin"] > 10).groupby(table["sampler"]).mean()
    assert large["random"] == pytest.approx(0.1, abs=0.02) == large["tas"]
    assert large["tas_balanced"] > 0.2


def test_margins_are_drawn_as_shares_of_each_samplers_triples(batches, pictures):
    table = pq.read_table(batches).to_pandas()
    by_sampler = {name: lines["margin"].to_numpy() for name, lines in table.groupby("sampler", sort=False)}
    axes = Figure().subplots()
    margins.draw(axes, by_sampler)
    assert [sum(patch.get_data().values) for patch in axes.patches] == pytest.approx([100, 100, 100])
    assert len({str(patch.get_linestyle()) for patch in axes.patches}) == 3
    assert [patch.get_fill() for patch in axes.patches] == [True, False, False]
    labels = [text.get_text().split(":")[0] for text in axes.get_legend().get_texts()]
    assert labels == [*by_sampler]
    margins.plot_margins(teacher="t1", batches_path=batches, **pictures)
    assert f"in {BATCHES} batches of each sampler" in read_caption(pictures["svg_path"]).text
    first = two_bytes(pictures)
    margins.plot_margins(teacher="t1", batches_path=batches, **pictures)
    assert two_bytes(pictures) == first


def test_cluster_sizes_count_empty_ones_and_leave_queries_without_a_cluster_out(tmp_path, pictures):
    path = tmp_path / "clusters.parquet"
    cluster = pa.array([0, 0, 2, 2, 2, None, 3], pa.int32())
    pq.write_table(pa.table({"query_id": [*"abcdefg"], "cluster": cluster}), path)
    sizes = clusters.sizes_of(path, 5)
    assert sizes.tolist() == [3, 2, 1, 0, 0]
    axes = Figure().subplots()
    clusters.draw(axes, sizes, [16, 32])
    heights, edges, _ = axes.patches[0].get_data()
    assert np.repeat(heights, np.diff(edges).astype(int)).tolist() == sizes.tolist()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["batches of 16", "batches of 32"]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    settings = {"name": "topics", "clusters": 5, "batch_sizes": [16]}
    clusters.plot_clusters(settings=settings, clusters_path=path, **pictures)
    assert "each of 5 clusters, largest first: from 3 to 0, median 1." in read_caption(pictures["svg_path"]).text
