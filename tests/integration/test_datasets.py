"""Collections of ir_datasets in local folders of its own layout; whatever is wrong with them ends in one sentence.

One process of its own does all the work: ir_datasets reads IR_DATASETS_HOME once, when it is imported.
"""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pyarrow.parquet as pq
import pytest

from stillroom.runs import read_qrels

# As in the original file: the UTF-8 of é and “, read as Latin-1.
BROKEN, REPAIRED = "caf\u00c3\u00a9 \u00e2\u0080\u009copen", "caf\u00e9 \u201copen"
PASSAGES = {"0": "The presence of communication", "1": BROKEN, "2": "line\u0085break", "7": "seventh"}
QUERIES = {"101": "what is communication", "102": "cafe", "103": "nothing judged", "104": "why"}
QRELS = "101 0 0 1\n102 0 1 1\n104 0 9 1\n"

WORK = """
import json, os, sys
from stillroom.collections.datasets import fetch_collection, fetch_queries
from stillroom.collections.kept_passages import choose_passages
from stillroom.triple_sources import fetch_triples
results = {}
for name, function, arguments in json.load(sys.stdin):
    try:
        globals()[function](**arguments)
        results[name] = None
    except Exception as error:
        results[name] = [type(error).__name__, str(error)]
json.dump(results, sys.stdout)
"""


def lines(entries):
    return "".join("\t".join(entry) + "\n" for entry in entries)


def write_msmarco(home):
    """MS MARCO passages with `dev/small`, `train` and its triples, and 2019's queries without their judgements."""
    folder = home / "msmarco-passage"
    for name in ("dev/small", "dev", "train", "trec-dl-2019"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "irds_version.txt").write_text("v2")
    original = lines(PASSAGES.items()).encode()
    with tarfile.open(folder / "collectionandqueries.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("collection.tsv")
        member.size = len(original)
        archive.addfile(member, io.BytesIO(original))
    for name in ("dev/small", "dev", "train", "trec-dl-2019"):
        (folder / name / "queries.tsv").write_text(lines(QUERIES.items()), "utf-8")
    (folder / "dev" / "small" / "qrels").write_text(QRELS)
    (folder / "dev" / "qrels").write_text(QRELS.replace("102 0 1 1", "102 0 1"))
    (folder / "train" / "qrels").write_text(QRELS.replace("104 0 9 1", "104 0 9 one"))
    (folder / "train" / "small.triples.qidpid.tsv").write_text("101\t0\t1\n102\t1\t7\n101\t0\t2\n")
    with gzip.open(folder / "train" / "docpairs.tsv.gz", "wt") as file:
        file.write("101\t0\t1\n102\t1\n")


def write_beir(home, name, passages, queries, qrels):
    """A BEIR zip; passages, queries and judgements as lines."""
    (home / "beir" / name).mkdir(parents=True)
    with zipfile.ZipFile(home / "beir" / name / "source.zip", "w") as archive:
        archive.writestr(f"{name}/corpus.jsonl", "".join(f"{line}\n" for line in passages))
        archive.writestr(f"{name}/queries.jsonl", "".join(f"{line}\n" for line in queries))
        for split, judgements in qrels.items():
            archive.writestr(f"{name}/qrels/{split}.tsv", "query-id\tcorpus-id\tscore\n" + judgements)


def entry(number, **more):
    return json.dumps(
        {"_id": f"d{number}", "title": f"Title {number}", "text": f"text {number}", "metadata": {}} | more
    )


def write_beir_collections(home):
    """SciFact as it should be, and others with one thing wrong each."""
    queries = [json.dumps({"_id": f"q{n}", "text": f"query {n}", "metadata": {}}) for n in range(3)]
    passages, qrels = [entry(number) for number in range(5)], {"test": "q1\td1\t1\n"}
    write_beir(home, "scifact", passages, queries, {"train": "q0\td0\t1\n\tq1\n", "test": "q1\td1\t1\nq2\td4\t2\n"})
    write_beir(home, "fiqa", [passages[0], "{not json"], queries, qrels)
    write_beir(home, "quora", [entry(0, text="a"), entry(0, text="b")], queries, qrels)
    write_beir(home, "nq", [], queries, qrels)
    write_beir(home, "arguana", [json.dumps({"_id": "d0", "text": "no title"})], queries, qrels)
    (home / "beir" / "hotpotqa").mkdir()
    (home / "beir" / "hotpotqa" / "source.zip").write_bytes(b"PK\x03\x04 cut off")


# What is fetched, by the name of the file that it is fetched to, with the arguments that differ.
MSMARCO = {"corpus_dataset_id": "msmarco-passage"}
SCIFACT = {"corpus_dataset_id": "beir/scifact"}
TRAIN = ["msmarco-passage/train"]
COLLECTIONS = {
    "msmarco": {"dataset_id": "msmarco-passage", "passages": 4},
    "raw": {"dataset_id": "msmarco-passage", "text": "raw"},
    "too few": {"dataset_id": "msmarco-passage", "passages": 8_841_823},
    "titles": {"dataset_id": "beir/scifact"},
    "titles apart": {"dataset_id": "beir/scifact", "titles": True},
    "no titles to tell apart": {"dataset_id": "msmarco-passage", "titles": True},
    "sample": {"dataset_id": "beir/scifact", "passages": 5, "sample": {"share": 0.4, "seed": 1}},
    "another sample": {"dataset_id": "beir/scifact", "passages": 5, "sample": {"share": 0.4, "seed": 3}},
    "sample of too few": {"dataset_id": "beir/scifact", "passages": 6, "sample": {"share": 0.4, "seed": 1}},
    "raw elsewhere": {"dataset_id": "beir/scifact", "text": "raw"},
    "unknown": {"dataset_id": "msmarco-pasage"},
    "unheard of": {"dataset_id": "zzz"},
    "offline": {"dataset_id": "beir/trec-covid"},
    "broken line": {"dataset_id": "beir/fiqa"},
    "not a zip": {"dataset_id": "beir/hotpotqa"},
    "no title": {"dataset_id": "beir/arguana"},
    "twice": {"dataset_id": "beir/quora"},
    "empty": {"dataset_id": "beir/nq"},
}
QUERY_SETS = {
    "dev_small": {"dataset_id": "msmarco-passage/dev/small", **MSMARCO},
    "one": {"dataset_id": "msmarco-passage/dev/small", **MSMARCO, "queries": 1},
    "two": {"dataset_id": "msmarco-passage/dev/small", **MSMARCO, "queries": 2},
    "all left out": {"dataset_id": "msmarco-passage/dev/small", **MSMARCO, "without": TRAIN},
    "without": {"dataset_id": "beir/scifact/test", **SCIFACT, "without": TRAIN},
    "as expected": {"dataset_id": "beir/scifact/test", **SCIFACT, "expected": {"queries": 2, "judgements": 2}},
    "any number": {"dataset_id": "beir/scifact/test", **SCIFACT, "expected": {"queries": None, "judgements": 2}},
    "fewer queries": {"dataset_id": "beir/scifact/test", **SCIFACT, "expected": {"queries": 3, "judgements": None}},
    "fewer judgements": {"dataset_id": "beir/scifact/test", **SCIFACT, "expected": {"queries": 2, "judgements": 1234}},
    "other corpus": {"dataset_id": "msmarco-passage/dev/small", **SCIFACT},
    "broken judgement": {"dataset_id": "msmarco-passage/dev", **MSMARCO},
    "grade in words": {"dataset_id": "msmarco-passage/train", **MSMARCO},
    "broken with header": {"dataset_id": "beir/scifact/train", **SCIFACT},
    "offline with a mirror": {"dataset_id": "msmarco-passage/trec-dl-2019", **MSMARCO},
    "no judgements": {"dataset_id": "beir/scifact", **SCIFACT},
}
TRIPLES = {
    "small": {"dataset_id": "msmarco-passage/train/triples-small"},
    "first": {"dataset_id": "msmarco-passage/train/triples-small", "triples": 2},
    "broken triple": {"dataset_id": "msmarco-passage/train"},
    "no triples": {"dataset_id": "msmarco-passage/dev/small"},
}


# What a sample must not lack, and what of it there is.
KEPT = {
    "judged": ({"judged": ["beir/scifact/test"]}, {"d1", "d4"}),
    "judged for some": ({"drawn": [["beir/scifact/test", 1]]}, {"d4"}),
    "in pairs": ({"pairs": [["msmarco-passage/train/triples-small", 2]]}, {"0", "1", "7"}),
    "in a score file": ({"triples": [2]}, {"0", "1", "2"}),
    "in a whole score file": ({"triples": [None]}, {"0", "1", "2", "9"}),
    "for all reasons": ({"judged": ["beir/scifact/test"], "triples": [1]}, {"d1", "d4", "0", "1"}),
}
SCORES = "1.5\t-2.0\t101\t0\t1\n4.0\t0.25\t102\t1\t2\n4.0\t0.25\t102\t9\t2\n"


def work_in(folder, passages_path, queries_path):
    """(name, function, arguments) of all that is fetched into a folder."""
    for name, (arguments, _) in KEPT.items():
        files = {"score_files": [folder / "scores.tsv"] if "triples" in arguments else []}
        defaults = {"judged": [], "drawn": [], "pairs": [], "triples": [], "kept_path": folder / f"{name}.parquet"}
        yield name, "choose_passages", defaults | files | arguments
    for name, arguments in COLLECTIONS.items():
        defaults = {"text": "repaired", "titles": False, "passages": None, "sample": None}
        paths = {"kept_path": folder / "judged.parquet", "passages_path": folder / f"{name}.parquet"}
        yield name, "fetch_collection", defaults | paths | arguments
    for name, arguments in QUERY_SETS.items():
        paths = {"queries_path": folder / f"{name}.parquet", "qrels_path": folder / f"{name}.txt"}
        defaults = {"without": [], "left_out_paths": [], "queries": None, "expected": None}
        yield name, "fetch_queries", defaults | paths | {"passages_path": passages_path} | arguments
    left_out = [folder / "one.parquet", folder / "without.parquet"]  # made above
    paths = {"queries_path": folder / "others.parquet", "qrels_path": folder / "others.txt"}
    yield (
        "others",
        "fetch_queries",
        defaults
        | paths
        | {
            "dataset_id": "msmarco-passage/dev/small",
            "corpus_dataset_id": "msmarco-passage",
            "left_out_paths": left_out,
            "passages_path": passages_path,
        },
    )
    for name, arguments in TRIPLES.items():
        paths = {"passages_path": passages_path, "queries_path": queries_path}
        defaults = {"triples": None, "triples_path": folder / f"{name}.parquet"}
        yield name, "fetch_triples", defaults | paths | arguments


def done_apart(work, home):
    """The results of work that is done in a process of its own, without a network."""
    closed = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-c", WORK],
        input=json.dumps(list(work), default=str),
        env={
            **{name: value for name, value in os.environ.items() if name.lower() != "no_proxy"},
            "PYTHONPATH": os.pathsep.join(sys.path),
            "IR_DATASETS_HOME": str(home),
            "IR_DATASETS_DL_TRIES": "1",
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), closed),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def fetched(tmp_path_factory, write_texts):
    """The folder where everything was fetched, and `results`: None or [type, message] of the error, by name."""
    folder = tmp_path_factory.mktemp("datasets")
    home = folder / "home"
    write_msmarco(home)
    write_beir_collections(home)
    passages_path = write_texts(folder / "some.parquet", "passage_id", PASSAGES)
    queries_path = write_texts(folder / "q.parquet", "query_id", QUERIES)
    (folder / "scores.tsv").write_text(SCORES)
    return folder, done_apart(work_in(folder, passages_path, queries_path), home)


def table(folder, name):
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def test_passages_keep_their_order_and_are_repaired_or_raw(fetched):
    folder, results = fetched
    assert results["msmarco"] is results["raw"] is None
    for name, broken in [("msmarco", REPAIRED), ("raw", BROKEN)]:
        expected = {**PASSAGES, "1": broken}
        assert table(folder, name) == [{"passage_id": key, "text": text} for key, text in expected.items()]


def test_titles_are_joined_to_texts(fetched):
    folder, results = fetched
    assert results["titles"] is None
    assert [row["text"] for row in table(folder, "titles")] == [f"Title {n} text {n}" for n in range(5)]


def test_queries_and_judgements_are_those_of_the_files(fetched):
    folder, results = fetched
    assert results["dev_small"] is None
    assert table(folder, "dev_small") == [{"query_id": key, "text": text} for key, text in QUERIES.items()]
    qrels = read_qrels(folder / "dev_small.txt")
    assert qrels.values.tolist() == [["101", "0", 1], ["102", "1", 1], ["104", "9", 1]]


def test_a_smaller_draw_of_queries_is_part_of_a_larger_one_and_judged(fetched):
    folder, results = fetched
    assert results["one"] is results["two"] is None
    one, two = ({row["query_id"] for row in table(folder, name)} for name in ("one", "two"))
    assert len(one) == 1 and len(two) == 2 and one < two < {"101", "102", "104"}
    assert set(read_qrels(folder / "two.txt")["query_id"]) == two


def test_triples_become_row_numbers(fetched):
    folder, results = fetched
    assert results["small"] is results["first"] is None
    rows = [tuple(row.values()) for row in table(folder, "small")]
    assert rows == [(0, 0, 1), (1, 1, 3), (0, 0, 2)]
    assert [tuple(row.values()) for row in table(folder, "first")] == rows[:2]


SENTENCES = {
    "unknown": r"ValueError: dataset 'msmarco-pasage' is unknown to ir_datasets; did you mean msmarco-passage.*\?",
    "unheard of": r"ValueError: dataset 'zzz' is unknown to ir_datasets; see the catalogue at ir-datasets\.com\.",
    "too few": r"ValueError: dataset msmarco-passage: expected 8,841,823 passages, found 4\. The collection is "
    r"incomplete; delete its files in \S+home/msmarco-passage and run again\.",
    "sample of too few": r"ValueError: dataset beir/scifact: expected 6 passages, found 5\. .*",
    "fewer queries": r"ValueError: dataset beir/scifact/test: expected 3 queries, found 2\. A file is incomplete.*",
    "fewer judgements": r"ValueError: dataset beir/scifact/test: expected 1,234 judgements, found 2\. A file is .*",
    "raw elsewhere": r"ValueError: dataset beir/scifact: `text: raw` is known for MS MARCO passages only.*",
    "offline": r"ConnectionError: dataset beir/trec-covid: the download failed \(\w+\); check the network, or put the "
    r"files into \S+ \(IR_DATASETS_HOME\) by hand and run again\.",
    "offline with a mirror": r"ConnectionError: dataset msmarco-passage/trec-dl-2019: the download failed \(\w+\); .*",
    "broken line": r"ValueError: dataset beir/fiqa: a file in \S+home cannot be read \(JSONDecodeError: .*\); delete.*",
    "not a zip": r"ValueError: dataset beir/hotpotqa: a file in \S+home cannot be read \(BadZipFile: .*\); delete .*",
    "no title": r"ValueError: dataset beir/arguana: a file in \S+home cannot be read \(KeyError: 'title'\); delete .*",
    "twice": r"ValueError: dataset beir/quora: 1 of 2 passage ids occur twice\.",
    "empty": r"ValueError: dataset beir/nq: expected passages, found none\.",
    "all left out": r"ValueError: dataset msmarco-passage/dev/small: no queries are left of 4\.",
    "other corpus": r"ValueError: dataset msmarco-passage/dev/small has the passages of msmarco-passage, but its "
    r"corpus in the config is beir/scifact\.",
    "broken judgement": r"ValueError: \S+/msmarco-passage/dev/qrels: line 2: expected 4 columns, got 3\.",
    "grade in words": r"ValueError: \S+/msmarco-passage/train/qrels: line 3: invalid literal for int.*'one'\.",
    "broken with header": r"ValueError: \S+/beir/scifact/train\.qrels: line 3: expected 3 columns, got 1\.",
    "no judgements": r"ValueError: dataset beir/scifact has no qrels; choose an ir_datasets id that has them\.",
    "broken triple": r"ValueError: \S+/train/docpairs\.tsv\.gz: line 2: expected 3 fields, got 2\.",
    "no triples": r"ValueError: dataset msmarco-passage/dev/small has no docpairs; choose an ir_datasets id .*",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_is_wrong_ends_in_one_sentence(name, fetched):
    folder, results = fetched
    assert results[name] is not None, "no error"
    found = ": ".join(results[name])
    assert re.fullmatch(SENTENCES[name], found), found
    assert not (folder / f"{name}.parquet").exists() and not (folder / f"{name}.txt").exists()


def test_queries_of_other_data_sets_are_left_out_by_id(fetched):
    folder, results = fetched
    assert results["without"] is None
    assert [row["query_id"] for row in table(folder, "without")] == ["q1", "q2"]


def test_validation_queries_of_files_are_left_out_by_id(fetched):
    folder, results = fetched
    assert results["others"] is None
    (kept,) = table(folder, "one")
    expected = [key for key in QUERIES if key != kept["query_id"]]
    assert [row["query_id"] for row in table(folder, "others")] == expected
    assert set(read_qrels(folder / "others.txt")["query_id"]) == set(expected) & {"101", "102", "104"}


def test_titles_are_a_column_beside_the_joined_texts(fetched):
    folder, results = fetched
    assert results["titles apart"] is results["no titles to tell apart"] is None
    rows = table(folder, "titles apart")
    assert [row.pop("title") for row in rows] == [f"Title {n}" for n in range(5)]
    assert rows == table(folder, "titles")
    assert {row["title"] for row in table(folder, "no titles to tell apart")} == {""}


@pytest.mark.parametrize("name", KEPT)
def test_a_sample_keeps_what_is_judged_and_what_its_triples_name(name, fetched):
    folder, results = fetched
    assert results[name] is None
    assert {row["passage_id"] for row in table(folder, name)} == KEPT[name][1]


@pytest.mark.parametrize(("name", "seed"), [("sample", 1), ("another sample", 3)])
def test_a_sample_is_what_the_digests_of_the_ids_draw_and_what_is_kept(name, seed, fetched):
    folder, results = fetched
    assert results[name] is None
    digests = {f"d{n}": hashlib.sha256(f"{seed} d{n}".encode()).hexdigest() for n in range(5)}
    drawn = {key for key, digest in digests.items() if int(digest[:16], 16) / 16**16 < 0.4}
    assert table(folder, name) == [row for row in table(folder, "titles") if row["passage_id"] in drawn | {"d1", "d4"}]


def test_counts_that_are_as_expected_pass(fetched):
    _, results = fetched
    assert results["as expected"] is results["any number"] is None


CATALOGUE = """
import ir_datasets, json, sys
from stillroom.collections.dataset_files import missing_files
wanted = json.load(sys.stdin)
print(json.dumps([[file._asdict() for file in missing_files(ir_datasets.load(id), id, part)] for id, part in wanted],
                 default=str))
"""
# (dataset, part) → of each file its md5 and place, as ir_datasets' catalogue has them
FILES = {
    ("msmarco-passage", "docs"): [("31644046b18952c1386cd4564ba2ae69", "msmarco-passage/collectionandqueries.tar.gz")],
    ("msmarco-passage", "raw"): [("31644046b18952c1386cd4564ba2ae69", "msmarco-passage/collectionandqueries.tar.gz")],
    ("msmarco-passage/dev/judged", "queries"): [
        ("c177b2795d5f2dcc524cf00fcd973be1", "msmarco-passage/queries.tar.gz"),
        ("9157ccaeaa8227f91722ba5770787b16", "msmarco-passage/dev/qrels"),
    ],
    ("msmarco-passage/trec-dl-2019/judged", "queries"): [
        ("eda71eccbe4d251af83150abe065368c", "downloads/eda71eccbe4d251af83150abe065368c"),
        ("2f4be390198da108f6845c822e5ada14", "msmarco-passage/trec-dl-2019/qrels"),
    ],
    ("msmarco-passage/train/triples-small", "docpairs"): [
        ("c13bf99ff23ca691105ad12eab837f84", "downloads/c13bf99ff23ca691105ad12eab837f84"),
        ("31644046b18952c1386cd4564ba2ae69", "msmarco-passage/collectionandqueries.tar.gz"),
        ("c177b2795d5f2dcc524cf00fcd973be1", "msmarco-passage/queries.tar.gz"),
    ],
    ("beir/nfcorpus/test", "queries"): [("a89dba18a62ef92f7d323ec890a0d38d", "beir/nfcorpus/source.zip")],
    ("beir/cqadupstack/tex", "docs"): [("4e41456d7df8ee7760a7f866133bda78", "beir/cqadupstack/source.zip")],
    ("beir/webis-touche2020/v2", "docs"): [("46f650ba5a527fc69e0a6521c5a23563", "beir/webis-touche2020/v2/source.zip")],
}


def test_the_files_behind_an_id_are_found_with_their_checksums(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", CATALOGUE],
        input=json.dumps(list(FILES)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "IR_DATASETS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    for (key, expected), files in zip(FILES.items(), json.loads(found.stdout), strict=True):
        assert {(file["md5"], file["path"]) for file in files} == {
            (md5, f"{tmp_path}/{name}") for md5, name in expected
        }
        assert all(file["size"] > 1_000 and file["urls"][0].startswith("https://") for file in files), key
        assert (len(files[-1]["urls"]) == 2) == (key[0] == "msmarco-passage/trec-dl-2019/judged")  # NIST's has a mirror
