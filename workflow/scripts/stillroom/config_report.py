"""What the config says of the report: which systems the query explorer shows, and on which test sets."""

from collections import Counter
from collections.abc import Iterator

from stillroom.config import labels_of, seeds_of, systems_of
from stillroom.config_papers import layout_of, paper_systems
from stillroom.config_published import published_systems
from stillroom.config_schema import config_error

NOTHING = "–"  # a label of a row that has none of its kind


def explored_systems(config: dict) -> dict[str, dict]:
    """System → {"label", "test_sets"} of what the explorer shows, in the order of the tables.

    Systems that tables call the same are told by their names in the paths.
    """
    wanted = config["report"]["systems"]
    shown = {
        system: block
        for system, block in tabled_systems(config).items()
        if (block["is_first"] if wanted is None else system in wanted)
    }
    times = Counter(block["label"] for block in shown.values())
    return {
        system: {
            "label": block["label"] if times[block["label"]] == 1 else f"{block['label']} ({system})",
            "test_sets": block["test_sets"],
        }
        for system, block in shown.items()
    }


def tabled_systems(config: dict) -> dict[str, dict]:
    """System → label, test sets and whether it has its row's first seed, of every row of the tables of measures.

    What several tables show is called as in the first of them.
    """
    found, seeds = {}, seeds_of(config, config["rankers"])
    for labels, row, test_sets in tabled_rows(config):
        label = ", ".join(label for label in labels if label != NOTHING)
        for place, system in enumerate(systems_of(row, seeds)):
            block = found.setdefault(system, {"label": label, "test_sets": [], "is_first": place == 0})
            block["test_sets"] = [*dict.fromkeys([*block["test_sets"], *test_sets])]
    return found


def tabled_rows(config: dict) -> Iterator[tuple[tuple[str, ...], dict, list[str]]]:
    """(labels, system, test sets) of the rows of an experiment's own tables, and then of published ones."""
    for table in (*config["tables"].values(), *config["length_tables"].values()):
        for row in table["rows"]:
            yield labels_of(row), row, table.get("test_sets") or [table["test_set"]]
    for (kind, *_), row, test_sets in published_systems(config):
        if kind == "published":
            yield labels_of(row), row, test_sets
    for (_, name, _, row), system, test_sets in paper_systems(config):
        yield layout_of(config, name)["rows"][row], system, test_sets


def check_report(config: dict) -> None:
    """Every system of the explorer is one of a table."""
    known = tabled_systems(config)
    for place, system in enumerate(config["report"]["systems"] or []):
        if system not in known:
            raise config_error(("report", "systems", place), f"{system!r} is not one of {', '.join(known)}.")
