"""The embedded collection: what is read from docstrings, how it is split, and that it is always the same."""

import json
import logging
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import ir_datasets
import pytest

from stillroom.collections.docstring_text import read_docstring
from stillroom.collections.docstrings import Library, library_folder, library_versions, read_documented
from stillroom.collections.pydocs import DESCRIPTION_FILE, pydocs_folder, register_pydocs
from stillroom.collections.relations import TWIN_BODIES, read_passages, see_also_positions
from stillroom.collections.splits import LAST_PERCENTILE, side
from stillroom.collections.twins import components, jaccard, near_duplicates

EXPECTED = Path(__file__).parents[1] / "data" / "pydocs.json"
TESTS = ("validation", "dev", "graded")
SPLITS = ("train", *TESTS)

TOY_MODULE = '''
"""A module."""

class Base:
    """The common ground of all toys in the box.

    Toys are kept in a box, and the box is kept in a room with a door and two windows.
    """

class Car(Base):
    def drive(self, speed):
        """Drive the car at a given speed.

        The car moves over the floor until it meets a wall, a shoe, or the cat of the house.

        Parameters
        ----------
        speed : float
            Metres per second.

        See Also
        --------
        stop : Bring the car to a halt.
        toy.box.Base, missing

        Examples
        --------
        >>> Car().drive(3)
        """

    def stop(self):
        """Bring the car to a halt.

        Stopping takes a while because the floor is smooth and the wheels are made of hard plastic.
        """

    def _secret(self):
        """Open the secret compartment of the car.

        Nobody should know of it, which is why its name starts with an underscore and it is not read.
        """

def _hidden():
    """Hide the toys under the bed.

    Nobody should know of it, which is why its name starts with an underscore and it is not read here.
    """
'''


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


@pytest.fixture
def toy(tmp_path):
    """Documented objects of a small made-up package."""
    package = tmp_path / "toy"
    (package / "tests").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "box.py").write_text(TOY_MODULE)
    (package / "broken.py").write_text("def broken(:\n")
    (package / "tests" / "test_box.py").write_text(TOY_MODULE)
    return read_documented("toy", package)


def by_ending(objects, ending):
    return next(found for found in objects if found.name.endswith(ending))


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


def test_public_objects_are_read_and_private_ones_and_tests_are_not(toy):
    assert [found.name for found in toy] == ["toy.box.Base", "toy.box.Car.drive", "toy.box.Car.stop"]
    assert by_ending(toy, "drive").bases == ("Base",)


def test_a_file_with_a_syntax_error_is_counted_in_the_log(caplog, tmp_path):
    (tmp_path / "broken.py").write_text("def broken(:\n")
    with caplog.at_level(logging.INFO):
        assert read_documented("toy", tmp_path) == []
    assert "1 unreadable files" in caplog.text


def test_summary_see_also_and_examples_are_cut_from_the_passage(toy):
    drive = read_docstring(by_ending(toy, "drive").docstring)
    assert drive.summary == "Drive the car at a given speed."
    assert drive.body == (
        "The car moves over the floor until it meets a wall, a shoe, or the cat of the house. "
        "Parameters: speed : float Metres per second."
    )
    assert drive.see_also == ("stop", "toy.box.Base", "missing")


def test_see_also_is_resolved_from_the_class_outwards(toy):
    passages = read_passages(toy)
    names = [passage.passage_id for passage in passages]
    referred = see_also_positions(passages)[names.index("toy.box.Car.drive")]
    assert [names[position] for position in referred] == ["toy.box.Car.stop", "toy.box.Base"]


def test_markup_becomes_plain_text():
    docstring = read_docstring(
        "Apply :func:`~torch.relu` to each ``element``.\n\nSee [1]_ and `the guide <https://a.b>`_.\n\n"
        ".. math:: x^2\n\n.. note::\n   It is **fast**.\n\nExample::\n\n    >>> relu(1)\n\n"
        ".. seealso:: :class:`~torch.nn.ReLU`\n\n**kwargs are passed on."
    )
    assert docstring.summary == "Apply torch.relu to each element."
    assert docstring.body == "See and the guide. It is fast. **kwargs are passed on."
    assert docstring.see_also == ("torch.nn.ReLU",)


@pytest.mark.parametrize(
    "summary",
    [
        "Too short.",
        "%(summary)s of the following kind",
        "size (`int`, *optional*): how many there are",
        "size : int how many there are",
        "f(a, b, *, c=None)",
        "A function which does the following:",
    ],
)
def test_a_summary_that_nobody_would_ask_is_no_query(summary):
    assert read_docstring(f"{summary}\n\nText.") is None


def test_a_long_first_paragraph_leaves_its_later_sentences_in_the_passage():
    docstring = read_docstring("Sort the rows,\ne.g. of a table. The sort\nis stable.\n\nMore.")
    assert docstring[:2] == ("Sort the rows, e.g. of a table.", "The sort is stable. More.")


def test_near_duplicates_are_those_of_brute_force():
    sets = [frozenset(range(start, start + 5 + start % 4)) for start in range(0, 40, 2)]
    pairs = {(i, j) for j in range(len(sets)) for i in range(j) if jaccard(sets[i], sets[j]) >= 0.5}
    assert pairs and set(near_duplicates(sets, 0.5)) == pairs


def test_components_join_what_is_connected_in_steps():
    assert components(6, [(4, 5), (1, 2), (2, 4)]) == [0, 1, 1, 3, 1, 1]


def test_large_components_only_teach():
    assert side("any name", 21) == "train"
    assert {side(f"name {number}", 20) for number in range(200)} == set(LAST_PERCENTILE)


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


def test_a_missing_library_is_named_in_one_sentence():
    with pytest.raises(ModuleNotFoundError, match="made from the docstrings of no-such-library, which is not"):
        library_versions((Library("nosuch", "no-such-library"),))
