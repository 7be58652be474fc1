"""How docstrings become passages and queries, and which of them are related."""

import logging

import pytest

from stillroom.collections.docstring_text import read_docstring
from stillroom.collections.docstrings import Library, library_versions, read_documented
from stillroom.collections.relations import read_passages, see_also_positions
from stillroom.collections.splits import LAST_PERCENTILE, side
from stillroom.collections.twins import components, jaccard, near_duplicates

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


def test_a_missing_library_is_named_in_one_sentence():
    with pytest.raises(ModuleNotFoundError, match="made from the docstrings of no-such-library, which is not"):
        library_versions((Library("nosuch", "no-such-library"),))
