"""The embedded collection `pydocs` as built from the installed libraries: its splits, and that it stays the same."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import ir_datasets
import pytest

from stillroom.collections.docstrings import library_folder, library_versions, read_documented
from stillroom.collections.pydocs import DESCRIPTION_FILE, pydocs_folder, register_pydocs
from stillroom.collections.relations import TWIN_BODIES

EXPECTED = Path(__file__).parents[1] / "data" / "pydocs.json"
TESTS = ("validation", "dev", "graded")
SPLITS = ("train", *TESTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The built collection, in an ir_datasets home of its own, made by the first access."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_DATASETS_HOME", str(tmp_path_factory.mktemp("ir_datasets")))
        register_pydocs()
        assert not pydocs_folder().exists()
        assert ir_datasets.load("pydocs").docs_count() == 4_000
        yield pydocs_folder()


@pytest.fixture(scope="module")
def passages(folder):
    return {passage.doc_id: passage.text for passage in ir_datasets.load("pydocs").docs_iter()}


@pytest.fixture(scope="module")
def positives(folder):
    """For each split the passages that its queries ask for; in graded, those of the two highest grades."""
    return {
        split: {qrel.doc_id for qrel in ir_datasets.load(f"pydocs/{split}").qrels_iter() if qrel.relevance != 1}
        if split == "graded"
        else {qrel.doc_id for qrel in ir_datasets.load(f"pydocs/{split}").qrels_iter()}
        for split in SPLITS
    }


def test_counts_and_digest_are_the_recorded_ones(folder):
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    installed = library_versions()
    differing = [
        f"{name} {installed[name]} instead of {version}"
        for name, version in expected["libraries"].items()
        if installed[name] != version
    ]
    if differing:
        pytest.skip(f"other library versions than recorded: {', '.join(differing)}")
    assert json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8")) == expected


def test_no_test_passage_is_a_near_duplicate_of_a_training_passage(passages, positives):
    def word_triples(passage_id):
        words = passages[passage_id].lower().split()
        return {" ".join(words[start : start + 3]) for start in range(len(words) - 2)}

    training = {name: word_triples(name) for name in positives["train"]}
    for split in TESTS:
        for name in positives[split]:
            triples = word_triples(name)
            for other, other_triples in training.items():
                common = len(triples & other_triples)
                union = len(triples) + len(other_triples) - common
                assert common < TWIN_BODIES * union, (name, other)


def test_no_summary_is_asked_in_two_splits(folder):
    asked = defaultdict(set)
    for split in SPLITS:
        for query in ir_datasets.load(f"pydocs/{split}").queries_iter():
            asked[query.text.lower().rstrip(".")].add(split)
    assert all(len(splits) == 1 for splits in asked.values())


@pytest.mark.parametrize("library", ["sklearn", "pandas"])
def test_no_method_of_sibling_classes_is_in_training_and_in_a_test(library, positives):
    families = defaultdict(set)
    for found in read_documented(library, library_folder(library)):
        method = found.name.rpartition(".")[2]
        for split in SPLITS:
            if found.owner and found.name in positives[split]:
                for group in (*found.bases, found.package):
                    families[group, method].add("train" if split == "train" else "test")
    assert families
    assert [family for family, sides in families.items() if len(sides) > 1] == []


def test_every_query_has_a_relevant_passage_and_every_judged_passage_exists(folder, passages):
    for split, top in {"train": 1, "validation": 1, "dev": 1, "graded": 3}.items():
        dataset = ir_datasets.load(f"pydocs/{split}")
        judged = defaultdict(dict)
        for qrel in dataset.qrels_iter():
            judged[qrel.query_id][qrel.doc_id] = qrel.relevance
        assert set(judged) == {query.query_id for query in dataset.queries_iter()}
        assert all(judged[query_id][query_id] == top for query_id in judged)
        assert all(passage_id in passages for grades in judged.values() for passage_id in grades)


def test_all_grades_occur(folder):
    grades = [qrel.relevance for qrel in ir_datasets.load("pydocs/graded").qrels_iter()]
    assert all(grades.count(grade) >= 50 for grade in (1, 2, 3))


def test_no_passage_holds_its_own_query(folder, passages):
    for split in SPLITS:
        for query in ir_datasets.load(f"pydocs/{split}").queries_iter():
            assert query.text not in passages[query.query_id]


def test_ids_have_no_whitespace_and_texts_one_line(passages):
    assert not any(set(name) & set(" \t\n") for name in passages)
    assert all(text == " ".join(text.split()) and len(text.split()) >= 12 for text in passages.values())


def test_no_two_passages_have_the_same_text(passages):
    assert len(set(passages.values())) == len(passages)


def test_registering_twice_is_once_and_the_splits_share_their_passages(folder, passages):
    register_pydocs()
    assert ir_datasets.docs_parent_id("pydocs/dev") == "pydocs"
    assert ir_datasets.docs_parent_id("pydocs-large/graded") == "pydocs-large"
    name, text = next(iter(passages.items()))
    assert ir_datasets.load("pydocs/dev").docs_store().get(name).default_text() == text


def test_the_large_collection_holds_the_small_one(folder, passages):
    large = {passage.doc_id for passage in ir_datasets.load("pydocs-large").docs_iter()}
    assert len(large) > 10_000 and large.issuperset(passages)


def test_the_files_do_not_depend_on_the_hash_seed():
    code = """
from stillroom.collections.docstrings import library_folder, read_documented
from stillroom.collections.relations import read_passages
from stillroom.collections.splits import candidates, select
import hashlib
found = candidates(read_passages(read_documented("numpy", library_folder("numpy"))))
sizes = {"train": 100, "validation": 20, "dev": 20, "graded": 20}
print(hashlib.sha256(repr(select(found, sizes=sizes, passages=300)).encode()).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
