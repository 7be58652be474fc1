"""What the config says of published numbers: which are compared (`published`), and which are explained (`ladders`)."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from stillroom.config_rankers import is_trained
from stillroom.config_schema import ConfigError, config_error
from stillroom.published_numbers import Cell, read_placed_cells
from stillroom.registry import PACKAGE

REPRODUCTION = "reproduction"  # the table of `published`
SHIPPED = PACKAGE.parents[1] / "published"
STAGES = ("candidates", "teacher", "ranker")  # of a ladder, in the order in which a cell comes about


class Line(NamedTuple):
    """A published cell, and the row and the test set of ours that it is compared with."""

    place: int
    test_set: str
    cell: Cell


def number_files(config: dict) -> list[Path]:
    """The CSV files of published numbers."""
    return [*map(Path, config["published"]["numbers"] or shipped_files())]


@cache
def shipped_files() -> list[Path]:
    """The files that are shipped."""
    return sorted(SHIPPED.glob("*.csv"))


def published_cells(config: dict) -> list[Cell]:
    """All published numbers."""
    return [cell for cell, _ in placed_cells(config)]


def placed_cells(config: dict) -> list[tuple[Cell, str]]:
    """All published numbers, each with its file and line."""
    try:
        return cells_of_files(tuple((path, path.stat().st_mtime_ns) for path in number_files(config)))
    except FileNotFoundError as error:
        raise config_error(("published", "numbers"), f"{error.filename}: there is no such file.") from None
    except ValueError as error:
        raise config_error(("published", "numbers"), str(error)) from None


@cache  # every table of published numbers asks several times
def cells_of_files(files: tuple[tuple[Path, int], ...]) -> list[tuple[Cell, str]]:
    """The cells of files of these ages."""
    return read_placed_cells(path for path, _ in files)


def lines_of(config: dict) -> tuple[list[Line], list[Line]]:
    """What is compared, row by row, and what is published of the same systems and not measured here.

    A cell belongs to the test sets of its dataset. In the second list the test set is the publication's.
    """
    published, cells, measures = config["published"], published_cells(config), config["measures"]
    test_sets = published["test_sets"] or list(config["test_sets"])
    compared, left_out = [], []
    for place, row in enumerate(published["rows"]):
        for cell in (cell for cell in cells if cell.system == row["published"]):
            found = [name for name in test_sets if config["test_sets"][name]["dataset"] == cell.test_set]
            if found and cell.measure in measures:
                compared += [Line(place, test_set, cell) for test_set in found]
            else:
                left_out.append(Line(place, cell.test_set, cell))
    compared.sort(key=lambda line: (line.place, test_sets.index(line.test_set), measures.index(line.cell.measure)))
    return compared, left_out


def check_published(config: dict) -> None:
    """Every row is published, and has a number that is measured here."""
    rows = config["published"]["rows"]
    systems = list(dict.fromkeys(cell.system for cell in published_cells(config))) if rows else []
    for place, row in enumerate(rows):
        if row["published"] not in systems:
            message = f"{row['published']!r} is not one of {', '.join(systems)}."
            raise config_error(("published", "rows", place, "published"), message)
    compared, left_out = lines_of(config) if rows else ([], [])
    for place, row in enumerate(rows):
        if not any(line.place == place for line in compared):
            there = [f"{line.cell.test_set} {line.cell.measure}" for line in left_out if line.place == place]
            message = f"{row['published']} has no number that is measured here, only {', '.join(there)}."
            raise config_error(("published", "rows", place, "published"), message)


def published_systems(config: dict) -> Iterator[tuple[tuple, dict, list[str]]]:
    """(key path, system, its test sets) of every row of `published`, and of every rung of the ladders."""
    compared = lines_of(config)[0] if config["published"]["rows"] else []
    for place, row in enumerate(config["published"]["rows"]):
        yield ("published", "rows", place), row, [line.test_set for line in compared if line.place == place]
    for name, ladder in config["ladders"].items():
        for rung in rungs(config, name):
            yield ("ladders", name), rung, [ladder["test_set"]]


def check_ladders(config: dict) -> None:
    """Every ladder has something to swap in, which is published and another than ours, and a number to arrive at."""
    for name, ladder in config["ladders"].items():
        path, published = ("ladders", name, "published"), ladder["published"]
        if not any(published[stage] for stage in STAGES):
            raise config_error(path, f"found nothing to swap in, expected one or more of {', '.join(STAGES)}.")
        if published["candidates"]:
            check_swapped_candidates(config, (*path, "candidates"), ladder)
        if published["teacher"]:
            check_swapped_teacher(config, (*path, "teacher"), ladder)
        if published["ranker"] and is_trained(config["rankers"][published["ranker"]]):
            message = f"{published['ranker']} is trained here; name a ranker that is used as it is."
            raise config_error((*path, "ranker"), message)
        explained_cell(config, name)


def check_swapped_candidates(config: dict, path: tuple, ladder: dict) -> None:
    """Candidates are those of a cell that re-ranks others."""
    way, candidates = ladder["way"], ladder["published"]["candidates"]
    if way in config["indexes"]:
        raise config_error(path, f"has no effect with the way {way}, which has no candidates; take the key out.")
    if way == candidates:
        raise config_error(path, f"found {candidates}, which is the way of the ladder already.")


def check_swapped_teacher(config: dict, path: tuple, ladder: dict) -> None:
    """A published teacher is a score file, and a ranker learns from it that is else the same."""
    ranker, teacher = ladder["ranker"], ladder["published"]["teacher"]
    if config["teachers"][teacher]["scores"] is None:
        raise config_error(path, f"{teacher} averages rankers; expected a teacher with scores.")
    own = config["rankers"][ranker]["teacher"]
    if own in (None, teacher):
        message = "learns from no teacher" if own is None else f"learns from {teacher} already"
        raise config_error(path, f"{ranker} {message}; take the key out.")
    if twin(config, ranker, teacher) is None:
        message = f"no ranker is {ranker} with the teacher {teacher}; add such a block under rankers."
        raise config_error(path, message)


def twin(config: dict, ranker: str, teacher: str) -> str | None:
    """The ranker that learns from another teacher, and is else the same."""
    wanted = {**config["rankers"][ranker], "teacher": teacher, "seeds": None}
    return next((name for name, block in config["rankers"].items() if {**block, "seeds": None} == wanted), None)


def rungs(config: dict, name: str) -> list[dict]:
    """The systems of a ladder, from ours to all that is published: each has one stage more of the publication."""
    ladder = config["ladders"][name]
    system = {"stage": None, "ranker": ladder["ranker"], "way": ladder["way"]}
    found = [system]
    for stage in STAGES:
        swapped = ladder["published"][stage]
        if not swapped:
            continue
        if stage == "teacher":
            swapped = twin(config, ladder["ranker"], swapped)
        system = {**system, "stage": stage, "way" if stage == "candidates" else "ranker": swapped}
        found.append(system)
    return found


def explained_cell(config: dict, name: str) -> Cell:
    """The published number that a ladder leads to."""
    ladder, path = config["ladders"][name], ("ladders", name, "published")
    source, dataset = ladder["published"]["source"], config["test_sets"][ladder["test_set"]]["dataset"]
    of_system = [cell for cell in published_cells(config) if cell.system == ladder["published"]["system"]]
    here = [cell for cell in of_system if (cell.test_set, cell.measure) == (dataset, ladder["measure"])]
    if not here:
        raise nothing_published(config, name, of_system)
    found = [cell for cell in here if source in (None, cell.source)]
    if len(found) == 1:
        return found[0]
    sources = ", ".join(dict.fromkeys(cell.source for cell in here))
    if found and source:
        message = f"{source} has this number in {', '.join(cell.table for cell in found)}; keep one of them."
        raise config_error((*path, "source"), message)
    what = f"{source!r} is not one of {sources}" if source else f"missing; expected one of {sources}"
    raise config_error((*path, "source"), f"{what}.")


def nothing_published(config: dict, name: str, of_system: list[Cell]) -> ConfigError:
    """The error of a ladder to a number that no file has."""
    ladder, path = config["ladders"][name], ("ladders", name, "published", "system")
    system = ladder["published"]["system"]
    if not of_system:
        systems = ", ".join(dict.fromkeys(cell.system for cell in published_cells(config)))
        return config_error(path, f"{system!r} is not one of {systems}.")
    there = ", ".join(dict.fromkeys(f"{cell.test_set} {cell.measure}" for cell in of_system))
    dataset = config["test_sets"][ladder["test_set"]]["dataset"]
    return config_error(path, f"{system} has no {ladder['measure']} on {dataset}, only {there}.")
