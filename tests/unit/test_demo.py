"""The page of side-by-side search, with made-up answers, and what of an experiment can answer."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stillroom.config_check import check_config
from stillroom.demo.app import MOST_LETTERS, Corpus, create_app
from stillroom.demo.engine import Answer, Engine
from stillroom.demo.passages import Passage, Passages
from stillroom.demo.systems import System, check_any, example_queries, shown_first, systems_of_corpus
from stillroom.demo.workers import Worker
from stillroom.vectors import VectorWriter

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
RESULTS = Path("results/pydocs")
EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def config():
    return check_config(yaml.safe_load((ROOT / "config.yaml").read_text("utf-8")), SCHEMA)


@pytest.fixture
def passages(tmp_path):
    """Seven passages in row groups of three."""
    table = pa.table(
        {"passage_id": [f"p{row}" for row in range(7)], "text": [f"text {row}" for row in range(6)] + [EVIL]}
    )
    pq.write_table(table, tmp_path / "passages.parquet", row_group_size=3)
    return Passages(tmp_path / "passages.parquet")


@pytest.fixture
def systems():
    return [
        System("bm25", "BM25", "pydocs", RESULTS / "bm25_index", bm25={"k1": 0.9, "b": 0.4, "fields": None}),
        System("tas_b/seed-1/exact", EVIL, "pydocs", RESULTS, model_folder=RESULTS, parameters={}, is_trained=True),
    ]


@pytest.fixture
def client(systems, passages):
    """Flask's test client of an app whose systems find the last passage, or say what is wrong."""

    def answer(system, query):
        if query == "worse":
            raise RuntimeError("the process of encoder has ended.")
        return Answer([(Passage("p6", EVIL), 1.5)], None if system.bm25 else 12.5, 0.25)

    corpus = Corpus(systems, [systems[1]._replace(name="other/seed-1/exact")], passages, ["how to <b>", "what is it"])
    return create_app("pydocs", {"pydocs": corpus, "second": corpus}, answer).test_client()


def ask(client, **question):
    response = client.get("/search", query_string={"corpus": "pydocs", "system": "bm25", "query": "words", **question})
    return response.status_code, response.get_json()


def test_a_system_answers_with_passages_scores_and_times(client):
    status, found = ask(client)
    assert status == 200
    assert found == {"encode_ms": None, "search_ms": 0.25, "passages": [{"id": "p6", "text": EVIL, "score": 1.5}]}
    assert ask(client, system="tas_b/seed-1/exact")[1]["encode_ms"] == 12.5


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"query": "  "}, "The query is empty"),
        ({"query": "a" * (MOST_LETTERS + 1)}, "has 2,001 letters, expected 2,000"),
        ({"system": "nobody"}, "no such system"),
        ({"corpus": "nowhere"}, "no such system"),
    ],
)
def test_a_question_that_cannot_be_answered_gets_a_sentence(question, sentence, client):
    status, found = ask(client, **question)
    assert status == 400
    assert sentence in found["error"]


def test_what_a_worker_says_reaches_the_page(client):
    assert ask(client, query="worse") == (500, {"error": "the process of encoder has ended."})


def test_the_page_shows_names_and_examples_as_text_and_has_no_script_of_its_own(client):
    text = client.get("/").get_data(as_text=True)
    assert EVIL not in text and "&lt;/script&gt;&lt;script&gt;" in text
    assert "how to &lt;b&gt;" in text
    assert re.findall(r"<script([^>]*)>", text) == [' src="/words.js" defer', ' src="/static/page.js" defer']
    assert "function markedText" in client.get("/words.js").get_data(as_text=True)
    assert "1 more of this experiment has not run" in text and "other/seed-1/exact" in text


def test_the_page_needs_nothing_from_elsewhere_and_lets_nothing_in(client):
    response = client.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert "http" not in policy
    for name in ("page.html", "page.css", "page.js"):
        (path,) = (ROOT / "workflow/scripts/stillroom/demo").glob(f"*/{name}")
        assert not re.search(r"https?:|//\w", path.read_text("utf-8")), name  # comments have a space behind //
        assert "innerHTML" not in path.read_text("utf-8")


def test_only_names_of_this_machine_lead_to_it(client):
    assert client.get("/", base_url="http://127.0.0.1:8000").status_code == 200
    assert client.get("/", base_url="http://evil.example:8000").status_code == 400


def test_each_collection_has_a_page(client):
    text = client.get("/?corpus=second").get_data(as_text=True)
    assert 'href="?corpus=second" aria-current="page"' in text
    response = client.get("/?corpus=third")
    assert response.status_code == 404 and "there are pydocs, second" in response.get_data(as_text=True)


def test_passages_are_looked_up_across_row_groups(passages):
    assert len(passages) == 7
    assert passages.at([5, 0, 6]) == [Passage("p5", "text 5"), Passage("p0", "text 0"), Passage("p6", EVIL)]
    assert passages.at([]) == []
    passages.at([4, 3])
    assert passages.group.cache_info().currsize == passages.group.cache_info().misses == 3
    assert "ids" not in vars(passages)  # not read as long as nobody looks for one


def test_the_engine_asks_the_worker_that_holds_what_a_system_needs(tmp_path, passages, systems):
    asked = []

    def ask(kind, function, **details):
        asked.append((kind, function))
        if kind == "lucene":
            return ["p4", "p1"], [2.0, 1.0], 0.001
        return (
            ("a vector", 0.002)
            if function == "encode"
            else (pa.array([6]).to_numpy(), pa.array([3.0]).to_numpy(), 0.003)
        )

    exact, other = tmp_path / "exact", tmp_path / "hnsw"
    exact.mkdir(), other.mkdir()
    with VectorWriter(exact / "index", 0, 4):
        pass
    (other / "index").write_bytes(b"IHNf")
    engine = Engine(ask, {"pydocs": passages})
    found = engine.answer(systems[0], "words")
    assert [(passage.text, score) for passage, score in found.passages] == [("text 4", 2.0), ("text 1", 1.0)]
    assert (found.encode_ms, found.search_ms) == (None, 1.0)
    found = engine.answer(systems[1]._replace(index_folder=exact), "words")
    assert found == Answer([(Passage("p6", EVIL), 3.0)], 2.0, 3.0)
    engine.answer(systems[1]._replace(index_folder=other), "words")
    assert asked == [
        ("lucene", "search"),
        ("encoder", "encode"),
        ("encoder", "search"),
        ("encoder", "encode"),
        ("approximate", "search"),
    ]


def test_systems_are_the_bm25s_and_the_rankers_that_retrieve(config):
    found = systems_of_corpus(config, "pydocs", RESULTS)
    names = ["bm25", *(f"{ranker}/seed-1/exact" for ranker in ("minilm", "bert_dot", "bert_dot_margin_mse", "tas_b"))]
    assert [system.name for system in found] == names
    assert [system.label for system in found] == [
        "BM25",
        "MiniLM as shipped",
        "BERT_Dot, no teacher",
        "BERT_Dot, Margin-MSE",
        "TAS-B",
    ]
    assert found[0].index_folder == RESULTS / "corpora/pydocs/bm25_index"
    assert found[4].files == [
        RESULTS / "indexes/pydocs/tas_b/seed-1/exact",
        RESULTS / "rankers/tas_b/seed-1/model.safetensors",
    ]


def test_bm25_and_the_last_two_students_are_shown_first(config):
    found = systems_of_corpus(config, "pydocs", RESULTS)
    assert [system.label for system in shown_first(found)] == ["BM25", "BERT_Dot, Margin-MSE", "TAS-B"]
    assert [system.name for system in shown_first(found[:2])] == ["bm25", "minilm/seed-1/exact"]
    assert [system.label for system in shown_first(found[:3])] == ["BM25", "MiniLM as shipped", "BERT_Dot, no teacher"]


def test_seeds_and_other_ways_through_the_same_files_are_systems_too(config):
    indexes = {"cells": {**config["indexes"]["exact"], "factory": "IVF10,Flat", "nprobe": 1}}
    indexes["cells_4"] = {**indexes["cells"], "of": "cells", "nprobe": 4}
    changed = {**config, "seeds": [1, 2], "indexes": indexes}
    found = {system.name: system for system in systems_of_corpus(changed, "pydocs", RESULTS)}
    more = found["tas_b/seed-2/cells_4"]
    assert more.index_folder == RESULTS / "indexes/pydocs/tas_b/seed-2/cells"
    assert more.parameters == {"nprobe": 4} and more.label == "tas_b, seed 2"
    assert "minilm/seed-2/cells" not in found


def test_where_nothing_has_run_one_sentence_names_the_targets(config, tmp_path):
    systems = systems_of_corpus(config, "pydocs", RESULTS)
    with pytest.raises(FileNotFoundError) as error:
        check_any([system._replace(index_folder=tmp_path / "none") for system in systems], RESULTS, "snakemake")
    assert str(error.value) == (
        "results/pydocs: nothing here can be searched yet, expected an index; `snakemake -- all` makes everything, "
        f"`snakemake -- {tmp_path}/none` BM25's index alone."
    )
    (tmp_path / "none").mkdir()
    check_any([systems[0]._replace(index_folder=tmp_path / "none")], RESULTS, "snakemake")


def test_example_queries_are_some_of_the_test_sets(config, tmp_path):
    assert example_queries(config, "pydocs", tmp_path) == []
    for name in ("dev", "graded"):
        (tmp_path / "test_sets" / name).mkdir(parents=True)
        table = pa.table({"query_id": [f"{row}" for row in range(20)], "text": [f"{name} {row}" for row in range(20)]})
        pq.write_table(table, tmp_path / "test_sets" / name / "queries.parquet")
    assert example_queries(config, "pydocs", tmp_path) == ["dev 0", "dev 4", "dev 8", "dev 12", "dev 16"]


def test_a_worker_answers_and_fails_in_sentences_and_ends_when_it_is_closed(tmp_path):
    worker = Worker("approximate", threads=1)
    (tmp_path / "index").write_bytes(b"no index")
    details = {"index_path": str(tmp_path / "index"), "parameters": {}, "vectors_QD": None, "depth": 1}
    for _ in range(2):  # it lives on
        with pytest.raises(ValueError, match="index"):
            worker.ask("search", **details)
    worker.close()
    assert worker.process.exitcode == 0


def test_a_worker_that_has_ended_is_told_as_such():
    worker = Worker("lucene", threads=1)
    worker.process.kill()
    with pytest.raises(RuntimeError, match="the process of lucene has ended"):
        worker.ask("search")
    worker.close()


def test_a_worker_outlives_a_failure_and_says_what_it_was():
    worker = Worker("no_such_worker", threads=1)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^no_such_worker: ModuleNotFoundError: .*; more is on the terminal\.$"):
            worker.ask("search")
    worker.close()


def test_the_process_of_the_page_imports_none_of_the_libraries_that_clash():
    code = "import sys, stillroom.demo.app, stillroom.demo.workers, json; print(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "PATH": ""}
    printed = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert not {"torch", "faiss", "jnius"} & set(json.loads(printed))


@pytest.mark.parametrize(("kind", "held"), [("lucene", set()), ("encoder", {"torch"}), ("approximate", {"faiss"})])
def test_a_worker_imports_the_library_that_it_is_for_and_no_other(kind, held):
    code = f"import sys, json, stillroom.demo.{kind}; print(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "PATH": ""}
    printed = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert {"torch", "faiss", "jnius"} & set(json.loads(printed)) == held


def run_demo(folder, *arguments):
    command = [sys.executable, str(ROOT / "tools" / "demo.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_demo_of_what_has_not_run_ends_with_one_sentence(tmp_path):
    done = run_demo(tmp_path, str(ROOT / "config.yaml"))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("results/pydocs: nothing here can be searched yet, expected an index; `snakemake ")
    assert done.stderr.count("\n") == 1 and "-- results/pydocs/corpora/pydocs/bm25_index` BM25's" in done.stderr


def test_a_mistake_in_the_config_is_one_sentence_of_the_demo_too(tmp_path):
    (tmp_path / "mine.yaml").write_text("rankers: {tas_b: {los: ranknet}}\n")
    done = run_demo(tmp_path, str(ROOT / "config.yaml"), "mine.yaml")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "rankers.tas_b" in done.stderr and "los" in done.stderr
    assert run_demo(tmp_path, "none.yaml").stderr == "none.yaml: this config file is missing.\n"
