"""Ranges of queries: every row is in one of them, and few rows are in memory."""

import numpy as np
import pytest

from stillroom import query_ranges

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize("rows_per_range", [1, 10, 60, 10_000])
def test_the_ranges_part_the_rows_of_all_columns_by_their_queries(rows_per_range, monkeypatch):
    monkeypatch.setattr(query_ranges, "ROWS_PER_RANGE", rows_per_range)
    monkeypatch.setattr(query_ranges, "BLOCK_ROWS", 17)
    columns = [RANDOM.integers(0, 40, 200).astype(np.int32) * 3, RANDOM.integers(0, 90, 100).astype(np.int32)]
    ranges = list(query_ranges.query_ranges(*columns))
    seen = set()
    for rows in ranges:
        queries = {query for column, own in zip(columns, rows, strict=True) for query in column[own].tolist()}
        assert not seen & queries
        seen |= queries
        assert all((np.diff(own) > 0).all() for own in rows)
        most_of_a_query = max(sum(int((column == query).sum()) for column in columns) for query in queries)
        assert sum(map(len, rows)) < rows_per_range + most_of_a_query
    for place, column in enumerate(columns):
        assert sorted(np.concatenate([rows[place] for rows in ranges])) == list(range(len(column)))
    assert (len(ranges) == 1) == (rows_per_range == 10_000)


def test_without_rows_there_are_no_ranges():
    assert list(query_ranges.query_ranges(np.empty(0, np.int32), np.empty(0, np.int32))) == []
