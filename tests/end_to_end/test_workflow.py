"""The whole workflow on a small scale: from nothing to tables, and what happens then."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from stillroom.figures.captions import read_caption
from stillroom.index_factory import set_parameters
from stillroom.indexes import filled_index, search
from stillroom.report.data import unpacked
from stillroom.vectors import open_vectors

ROOT = Path(__file__).parents[2]
RESULTS = "results/tiny"


class Project:
    """A copy of the workflow with results of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.results = folder / RESULTS

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "experiment.yaml", *arguments]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "IR_DATASETS_HOME": str(self.folder / "ir_datasets")}
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment, check=False)

    def copy(self, folder: Path) -> "Project":
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, copy_function=shutil.copy2)
        return Project(folder)

    def metrics(self, test_set: str, system: str) -> dict:
        return json.loads((self.results / f"metrics/{test_set}/{system}.json").read_text())


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """The workflow, run once from nothing."""
    folder = tmp_path_factory.mktemp("end_to_end")
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    here = Path(__file__).parent
    shutil.copy(here / "config.yaml", folder / "experiment.yaml")
    for name in ("tiny_paper.yaml", "numbers.csv"):
        shutil.copy(here / name, folder)
    project = Project(folder)
    done = project.run("--", "all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project


def test_tables_hold_the_means_of_the_metrics_files(finished):
    table = pd.read_csv(finished.results / "tables/main.csv")
    assert list(table["system"]) == ["bm25", "minilm/seed-1/exact", "bert_cat/seed-1/rerank", "tas_b/seed-1/exact"]
    for row in table.to_dict("records"):
        for test_set in ("dev", "graded"):
            by_query = finished.metrics(test_set, row["system"])["measures"]["RR@10"]["by_query"]
            assert len(by_query) == 40
            assert row[f"{test_set} RR@10"] == pytest.approx(np.mean(list(by_query.values())))
    markdown = (finished.results / "tables/main.md").read_text()
    assert "BERT_CAT, re-ranking" in markdown and "Expected: BM25 above MiniLM, one layer" in markdown
    assert r"\toprule" in (finished.results / "tables/by_length.tex").read_text()


def test_the_report_has_everything_is_small_and_knows_how_a_number_came_about(finished):
    page = (finished.results / "report.html").read_text(encoding="utf-8")
    assert len(page) < 25e6
    assert pd.read_csv(finished.results / "benchmarks/report.tsv", sep="\t")["s"].item() < 20
    for table in ("main", "by_length", "costs", "search", "tiny_paper"):
        assert f'id="table-{table}"' in page
    known = unpacked(re.search(r'id="data-provenance">([^<]*)<', page)[1])
    source = known["sources"][f"{RESULTS}/metrics/dev/tas_b/seed-1/exact.json"]
    assert source["data"]["run"][0] == f"{RESULTS}/runs/dev/tas_b/seed-1/exact.trec"
    steps = [known["steps"][place] for place in source["steps"]]
    assert {"fetch_collection", "train_ranker", "cluster_queries", "retrieve", "measure"} <= {
        step["rule"] for step in steps
    }
    trained = next(step for step in steps if f"{RESULTS}/rankers/tas_b/seed-1/model.safetensors" in step["makes"])
    assert "sampler: tas_balanced" in trained["settings"] and trained["code"] and trained["seconds"] > 0
    assert known["machines"][trained["machine"]]["libraries"]["torch"]
    assert known["totals"]["timed"] == known["totals"]["steps"]


class Numbers(HTMLParser):
    """The cells of a table's page that a measure stands in, and the queries that their column is about."""

    def __init__(self):
        super().__init__()
        self.cells, self.columns, self.place = [], [], 0

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "tr":
            self.place = 0
        elif tag == "th" and found["scope"] == "col":
            self.columns.append(found.get("data-queries", "").split())
        elif tag in ("th", "td"):
            if "data-measure" in found:
                self.cells.append({**found, "queries": self.columns[self.place]})
            self.place += 1


def recomputed(project, cell):
    """A number from the runs and judgements of the metrics files that it names, with ir_measures alone."""
    (measure,) = map(ir_measures.parse_measure, cell["data-measure"].split())
    means = []
    for source in cell["data-source"].split():
        content = json.loads((project.folder / source).read_text())
        qrels = [*ir_measures.read_trec_qrels(str(project.results / f"test_sets/{content['test_set']}/qrels.txt"))]
        run = ir_measures.read_trec_run(str(project.results / f"runs/{content['test_set']}/{content['system']}.trec"))
        values = {found.query_id: found.value for found in ir_measures.iter_calc([measure], qrels, run)}
        query_ids = cell["queries"] or {judgement.query_id for judgement in qrels}
        means.append(np.mean([values.get(query_id, 0.0) for query_id in query_ids]))
    return np.mean(means)


def test_numbers_of_tables_are_those_of_their_runs_with_ir_measures_alone(finished):
    cells = []
    for name in ("main", "by_length", "search", "tiny_paper"):
        numbers = Numbers()
        numbers.feed((finished.results / f"tables/{name}.html").read_text(encoding="utf-8"))
        assert numbers.cells
        cells += [cell for cell in numbers.cells if "data-value" in cell]  # some ranges have no query
    seed = time.time_ns()
    print(f"seed {seed}")  # which pytest shows where this fails
    for place in np.random.default_rng(seed).choice(len(cells), 10, replace=False):
        assert float(cells[place]["data-value"]) == pytest.approx(recomputed(finished, cells[place])), cells[place]


def test_costs_are_measured_and_bytes_are_those_of_the_index_files(finished):
    table = pd.read_csv(finished.results / "tables/costs.csv")
    rankers = ["colbert_margin_mse", "tas_b", "bert_cat"]
    assert list(table["system"]) == [f"{ranker}/seed-1/rerank" for ranker in rankers]
    assert (table["milliseconds"] > 0).all()
    assert (table["uncached_milliseconds"] > table["milliseconds"]).tolist() == [True, True, False]
    files = [finished.results / f"indexes/pydocs/tas_b/seed-1/exact/{name}" for name in ("index", "docid")]
    assert table["stored_bytes"][1] == pytest.approx(sum(path.stat().st_size for path in files) / 4000)
    assert "Re-ranking 50 passages of dev for one query" in (finished.results / "tables/costs.md").read_text()


def test_cells_find_some_of_what_exact_search_finds_and_more_cells_find_more(finished):
    table = pd.read_csv(finished.results / "tables/search.csv")
    assert list(table["system"]) == [f"minilm/seed-1/{index}" for index in ("exact", "cells", "cells_4")]
    exact, one, four = table["recall@10"]
    assert exact == 1 and 0.2 < one < four <= 1
    assert (table["build_seconds"] > 0).all() and (table["queries_per_second"] > 0).all()
    assert table["index_bytes"][1] == table["index_bytes"][2] > table["index_bytes"][0] > 4000 * 384 * 4


FIGURES = {
    "search": "Fastest: k-means, 1, ",
    "costs": "BERT_CAT",
    "scores-bert_cat": "TAS-B (student) on dev, exact",
    "training-curves": "of 4 trainings",
    "gains-main-dev": "on each of 40 queries",
    "gains-main-graded": "TAS-B better on ",
    "margins-bert_cat-topics": "TAS-Balanced",
    "clusters-topics": "each of 5 clusters",
    "rule-graph": "to all at the bottom",
}


def test_every_figure_is_there_and_says_what_it_shows(finished):
    files = sorted(path.name for path in (finished.results / "figures").iterdir())
    assert files == sorted(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg"))
    for name, words in FIGURES.items():
        title, text = read_caption(finished.results / f"figures/{name}.svg")
        assert title and words in text and "Not there yet" not in text, name
        assert (finished.results / f"figures/{name}.png").stat().st_size > 10_000
    done = finished.run("--", "figures")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def test_the_figures_of_half_an_experiment_are_drawn_without_more_of_it(finished, tmp_path):
    project = finished.copy(tmp_path / "half")
    for name in ("metrics/dev/tas_b", "rankers/tas_b", "query_clusters", "figures"):
        shutil.rmtree(project.results / name)
    done = project.run("--", "figures")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Not drawn, because what they show has not run yet: margins-bert_cat-topics, clusters-topics." in said
    drawn = {path.stem for path in (project.results / "figures").iterdir()}
    assert drawn == FIGURES.keys() - {"margins-bert_cat-topics", "clusters-topics"}
    caption = read_caption(project.results / "figures/gains-main-dev.svg")
    assert caption.text.endswith("Not there yet: tas_b/seed-1/exact.")
    assert not (project.results / "rankers/tas_b").exists()


def test_a_graph_finds_what_brute_force_finds(finished):
    queries = np.load(finished.results / "embeddings/test_sets/dev/minilm/seed-1/queries.npy")
    passages = open_vectors(finished.results / "embeddings/pydocs/minilm/seed-1/passages.faiss")
    best = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :10]
    index = filled_index(passages, "HNSW32", ef_construction=None, threads=2)
    set_parameters(index, {"ef_search": 64})
    _, found = search(index, queries, 10)
    shared = [len(set(one) & set(other)) for one, other in zip(found, best, strict=True)]
    assert np.mean(shared) / 10 >= 0.95


def test_a_second_run_has_nothing_to_do(finished):
    done = finished.run("--", "all")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def test_training_lowers_the_loss_and_leaves_a_curve(finished):
    for ranker in ("bert_cat", "colbert_margin_mse", "bert_dot_margin_mse", "tas_b"):
        lines = (finished.results / f"rankers/{ranker}/seed-1/training.jsonl").read_text().splitlines()
        curve = [json.loads(line) for line in lines]
        assert [line["step"] for line in curve] == [10, 20]
        assert curve[-1]["loss"] < curve[0]["loss"], ranker
        assert 0 <= curve[-1]["nDCG@10"] <= 1


def test_runs_decrease_strictly_and_name_known_passages(finished):
    known = set(pq.read_table(finished.results / "corpora/pydocs/passages.parquet")["passage_id"].to_pylist())
    for system in ("bm25", "minilm/seed-1/exact", "bert_cat/seed-1/rerank", "tas_b/seed-1/exact"):
        path = finished.results / f"runs/dev/{system}.trec"
        run = pd.read_csv(path, sep=" ", names=["query_id", "q0", "passage_id", "rank", "score", "tag"])
        assert set(run["passage_id"]) <= known
        for _, scores in run.groupby("query_id")["score"]:
            assert (np.diff(scores.to_numpy().astype(np.float32)) < 0).all()


def test_exact_run_is_the_order_of_brute_force_inner_products(finished):
    place = "tas_b/seed-1"
    queries = np.load(finished.results / f"embeddings/test_sets/dev/{place}/queries.npy")
    passages = open_vectors(finished.results / f"embeddings/pydocs/{place}/passages.faiss")
    ids = pq.read_table(finished.results / "corpora/pydocs/passages.parquet")["passage_id"].to_numpy()
    query_ids = pq.read_table(finished.results / "test_sets/dev/queries.parquet")["query_id"].to_pylist()
    run = pd.read_csv(finished.results / f"runs/dev/{place}/exact.trec", sep=" ", header=None)
    for query_id, scores in zip(query_ids, queries @ passages.T, strict=True):
        found = run[run[0] == query_id]
        expected = np.sort(scores)[::-1][:200]
        assert found[4].to_numpy() == pytest.approx(expected, abs=1e-4)
        own = scores[np.searchsorted(ids, found[2].to_numpy())]  # ids are sorted; near ties may change places
        assert own == pytest.approx(expected, abs=1e-4)


def test_teacher_scores_have_the_published_columns(finished):
    tsv = finished.results / "teacher_scores/bert_cat/triples.tsv"
    scores = pd.read_csv(tsv, sep="\t", names=["pos_score", "neg_score", "query_id", "pos_id", "neg_id"])
    triples = pq.read_table(finished.results / "training_sets/triples/triples.parquet").to_pandas()
    ids = pq.read_table(finished.results / "corpora/pydocs/passages.parquet")["passage_id"].to_numpy()
    assert len(scores) == len(triples) == 400
    assert list(scores["pos_id"]) == list(ids[triples["positive"]])
    assert list(scores["neg_id"]) == list(ids[triples["negative"]])
    pairs = pq.read_table(finished.results / "pair_scores/bert_cat/triples/triples.parquet")
    assert len(pairs) == len(set(zip(scores["query_id"], scores["pos_id"], strict=True))) + len(
        set(zip(scores["query_id"], scores["neg_id"], strict=True))
    )


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(finished, tmp_path):
    project = finished.copy(tmp_path / "again")
    weights = project.results / "rankers/bert_dot_margin_mse/seed-1/model.safetensors"
    before = hashlib.sha256(weights.read_bytes()).hexdigest()
    other = f"{RESULTS}/rankers/bert_dot_margin_mse/seed-2/model.safetensors"
    done = project.run("--forcerun", "train_ranker", "--", f"{RESULTS}/{weights.relative_to(project.results)}", other)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == before
    assert hashlib.sha256((project.folder / other).read_bytes()).hexdigest() != before


HINGE = """
NEEDS_TEACHER = False
WHOLE_BATCH = False
READS = ()


def hinge(student_scores_BP, teacher_scores_BP=None):
    return (1 - student_scores_BP[:, :1] + student_scores_BP[:, 1:]).clamp(min=0).mean()
"""
FIRST_AND_MEAN = """
import torch

from stillroom.architectures.bert_dot import BertDot
from stillroom.pooling import POOLINGS

RETRIEVES = True
IN_BATCH = True
KERNELS = False
WORDS = False
HEADLESS = {}
READS = {"temperature": None}


class FirstAndMean(BertDot):
    def encode(self, inputs, encoder=None):
        def forward(rows):
            states = self.hidden_states([inputs[row] for row in rows])
            return list(POOLINGS["cls"](*states) + POOLINGS["mean"](*states))

        return torch.stack(self.in_chunks(inputs, forward))
"""


def test_a_new_loss_and_a_new_architecture_are_a_file_each_and_a_block_of_config(finished, tmp_path):
    project = finished.copy(tmp_path / "new")
    library = project.folder / "workflow/scripts/stillroom"
    (library / "losses/hinge.py").write_text(HINGE)
    (library / "architectures/first_and_mean.py").write_text(FIRST_AND_MEAN)
    config = project.folder / "experiment.yaml"
    block = "  new: {architecture: first_and_mean, encoder: minilm, temperature: 20, loss: hinge, training: short}\n"
    config.write_text(config.read_text().replace("rankers:\n", f"rankers:\n{block}", 1))
    others = {path: path.stat().st_mtime_ns for path in (project.results / "rankers").rglob("*") if path.is_file()}
    done = project.run(
        "--", f"{RESULTS}/metrics/dev/new/seed-1/exact.json", f"{RESULTS}/metrics/dev/new/seed-1/rerank.json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in others} == others
    curve = pd.read_json(project.results / "rankers/new/seed-1/training.jsonl", lines=True)
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]
    recall = project.metrics("dev", "new/seed-1/exact")["measures"]["R@100"]["mean"]
    assert recall > 2 * 100 / 4000  # twice what chance finds


LISTWISE = """
training_sets:
  found:
    corpus: pydocs
    dataset: pydocs/train
    triples: 80
    negatives: {from: {ranker: bert_dot_margin_mse, index: exact}, depth: 20, per_query: 4, per_relevant: 4}
    validation: {dataset: pydocs/validation, candidates: bm25, depth: 5, queries: 20}
training:
  lists: {steps: 4, batch_size: 4, negatives: 4, learning_rate: 5.0e-4, validate_every: 4}
rankers:
  bert_cat: {training_set: triples}
  colbert_margin_mse: {training_set: triples}
  bert_dot_margin_mse: {training_set: triples}
  tas_b: {training_set: triples}
  listwise:
    {architecture: bert_dot, encoder: minilm, pooling: mean, loss: ckl, loss_settings: {gamma: 2, beta: 1},
     contrastive: 0.5, teacher: bert_cat, training: lists, training_set: found}
clusterings:
  topics: {training_set: triples}
"""


def test_a_listwise_student_learns_from_what_a_trained_ranker_finds_and_nothing_else_is_made_again(finished, tmp_path):
    project = finished.copy(tmp_path / "listwise")
    (project.folder / "listwise.yaml").write_text(LISTWISE)
    others = {path: path.stat().st_mtime_ns for path in (project.results / "rankers").rglob("*") if path.is_file()}
    done = project.run("listwise.yaml", "--", f"{RESULTS}/rankers/listwise/seed-1/model.safetensors")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in others} == others

    found = project.results / "training_sets/found"
    ids = pq.read_table(project.results / "corpora/pydocs/passages.parquet")["passage_id"].to_numpy()
    query_ids = pq.read_table(found / "queries.parquet")["query_id"].to_numpy()
    run = pd.read_csv(found / "candidates.trec", sep=" ", header=None)
    place = "bert_dot_margin_mse/seed-1"
    queries = np.load(project.results / f"embeddings/training_sets/found/{place}/queries.npy")
    passages = open_vectors(project.results / f"embeddings/pydocs/{place}/passages.faiss")
    triples = pq.read_table(found / "triples.parquet").to_pandas()
    assert len(triples) == 80
    for query, group in triples.groupby("query"):
        own = run[run[0] == query_ids[query]]
        assert own[4].to_numpy() == pytest.approx(np.sort(queries[query] @ passages.T)[::-1][:20], abs=1e-4)
        assert set(ids[group["negative"]]) <= set(own[2]) and group["positive"].nunique() == 1
    assert len(pd.read_csv(project.results / "teacher_scores/bert_cat/found.tsv", sep="\t", header=None)) == 80
    assert (
        "20 groups of 1 relevant and 4 other passages"
        in (project.results / "logs/rankers/listwise/seed-1.log").read_text()
    )


@pytest.mark.parametrize(
    ("file", "content", "target", "message"),
    [
        ("test_sets/dev/qrels.txt", "q1 0 p1 1\nq2 0 p2\n", "metrics/dev/bm25.json", "qrels.txt, line 2"),
        ("runs/dev/bm25.trec", "q1 Q0 p1 1 2.5 bm25\nq1 Q0 p2 2 high bm25\n", "metrics/dev/bm25.json", "line 2"),
        (
            "rankers/minilm/seed-1/model.safetensors",
            "cut",
            "runs/dev/minilm/seed-1/rerank.trec",
            "model.safetensors: ",
        ),
    ],
    ids=["malformed qrels", "malformed run", "truncated weights"],
)
def test_bad_files_stop_a_step_with_one_sentence_and_no_output(finished, tmp_path, file, content, target, message):
    project = finished.copy(tmp_path / "bad")
    (project.results / target).unlink(missing_ok=True)
    (project.results / file).write_text(content)
    done = project.run("--rerun-triggers", "input", "--", f"{RESULTS}/{target}")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert message in said, said[-2000:]
    assert not (project.results / target).exists()
    log = project.results / "logs" / Path(target).with_suffix(".log")
    assert "Traceback" in log.read_text()
