"""The check of what is said of data: queries that are left out, and test sets whose mean a table shows."""

from graphlib import CycleError, TopologicalSorter

from stillroom.config_schema import config_error

MEAN = "mean"  # the name of the columns over all others


def check_left_out(config: dict) -> None:
    """Validation queries that are left out somewhere are there, and can be drawn one set after the other."""
    for path, without in left_out(config):
        for place, other in enumerate(without):
            if isinstance(other, dict) and not config["training_sets"][other["validation_of"]]["validation"]:
                message = f"{other['validation_of']} has no validation; give it one or take the entry out."
                raise config_error((*path, place, "validation_of"), message)
    waits_for = {
        name: [other["validation_of"] for other in block["validation"]["without"] if isinstance(other, dict)]
        for name, block in config["training_sets"].items()
        if block["validation"]
    }
    try:
        TopologicalSorter(waits_for).prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]
        path = ("training_sets", cycle[0], "validation", "without")
        raise config_error(path, f"its queries would be left out of themselves, {' → '.join(cycle)}.") from None


def check_query_limit(name: str, training_set: dict) -> None:
    """A data set's own triples are of all of its queries."""
    if training_set["queries"] and not (training_set["triples_of"] or training_set["negatives"]):
        message = "leaves out queries of the data set's own triples; limit `triples` instead."
        raise config_error(("training_sets", name, "queries"), message)


def left_out(config: dict) -> list[tuple[tuple, list]]:
    """(key path, `without`) of every set of queries that has it."""
    found = [(("test_sets", name, "without"), block["without"]) for name, block in config["test_sets"].items()]
    for name, block in config["training_sets"].items():
        if block["validation"]:
            found.append((("training_sets", name, "validation", "without"), block["validation"]["without"]))
    return found


def check_groups(name: str, table: dict) -> None:
    """A group is of the table's test sets, of which each is in one group, and has a name that no other column has."""
    grouped = set()
    for group, test_sets in table["groups"].items():
        path = ("tables", name, "groups", group)
        if group in (*table["test_sets"], MEAN):
            raise config_error(path, "other columns have this name; choose another.")
        for place, test_set in enumerate(test_sets):
            if test_set not in table["test_sets"]:
                message = f"{test_set!r} is not one of the table's test_sets, {', '.join(table['test_sets'])}."
                raise config_error((*path, place), message)
            if test_set in grouped:
                raise config_error((*path, place), f"{test_set!r} is in another group or twice; take one out.")
            grouped.add(test_set)
    if table[MEAN] and MEAN in table["test_sets"]:
        raise config_error(("tables", name, MEAN), "a test set has this name; give it another.")
