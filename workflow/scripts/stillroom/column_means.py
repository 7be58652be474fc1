"""The columns of a table of measures: one per test set, or per group of them, and the mean of all."""

from typing import NamedTuple

import numpy as np

from stillroom.config_data import MEAN


class Column(NamedTuple):
    """What a column shows: the mean of means over test sets, a list of them for each collection that counts once."""

    name: str  # of a test set or a group, or `mean`
    measure: str
    collections: list[list[str]]

    @property
    def test_sets(self) -> set[str]:
        """All that the column is about."""
        return {*self.in_order}

    @property
    def in_order(self) -> list[str]:
        """All that the column is about, in the order of the table."""
        return [test_set for collection in self.collections for test_set in collection]


def columns_of(settings: dict) -> list[Column]:
    """The columns of a table in their order; a group stands where its first test set would."""
    group_of = {test_set: name for name, members in settings["groups"].items() for test_set in members}
    collections = {}
    for test_set in settings["test_sets"]:
        collections.setdefault(group_of.get(test_set, test_set), []).append(test_set)
    columns = [
        Column(name, measure, [test_sets])
        for name, test_sets in collections.items()
        for measure in settings["measures"]
    ]
    if settings["mean"]:
        columns += [Column(MEAN, measure, [*collections.values()]) for measure in settings["measures"]]
    return columns


def column_value(column: Column, mean_on: dict[str, float]) -> float:
    """The value of a column from the means by test set."""
    return float(np.mean([np.mean([mean_on[test_set] for test_set in group]) for group in column.collections]))


def group_notes(settings: dict) -> list[str]:
    """What the columns of groups and of the mean are."""
    notes = [f"{name}: the mean of {', '.join(test_sets)}." for name, test_sets in settings["groups"].items()]
    if settings["mean"]:
        collections = {column.name for column in columns_of(settings)} - {MEAN}
        grouped = ", a group counts once" if settings["groups"] else ""
        notes.append(f"{MEAN}: over the {len(collections)} collections{grouped}.")
    return notes
