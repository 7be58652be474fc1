"""What indexes cost, with a clock of our own."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stillroom import index_costs, timing
from stillroom.indexes import build_index

RANDOM = np.random.default_rng(8)
PASSAGES = RANDOM.normal(size=(300, 16)).astype(np.float32)
QUERIES = RANDOM.normal(size=(9, 16)).astype(np.float32)


@pytest.fixture
def clock(monkeypatch):
    """The clock of the measuring, which stands still unless a test moves `now`; nothing is timed again."""
    state = SimpleNamespace(now=100.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: state.now)
    monkeypatch.setattr(timing, "ENOUGH_SECONDS", 0.0)
    return state


def test_building_is_timed_from_the_vectors_to_the_filled_index(clock, monkeypatch, tmp_path, write_vectors):
    files = write_vectors(tmp_path, "passages", [f"p{row}" for row in range(300)], PASSAGES)
    built = []

    def slow(*arguments):
        built.append(filled_index(*arguments))
        clock.now += 7
        return built[-1]

    filled_index = index_costs.filled_index
    monkeypatch.setattr(index_costs, "filled_index", slow)
    index_costs.measure_index(
        vectors_path=files["vectors_path"],
        factory="IVF4,Flat",
        ef_construction=None,
        threads=2,
        index="cells",
        efficiency_path=tmp_path / "cells.json",
    )
    cost = json.loads((tmp_path / "cells.json").read_text())
    assert [index.ntotal for index in built] == [300]
    assert cost.pop("device")
    assert cost == {
        "index": "cells",
        "factory": "IVF4,Flat",
        "passages": 300,
        "dimensions": 16,
        "threads": 2,
        "build_seconds": 7.0,
    }


@pytest.fixture
def measure(tmp_path, write_vectors):
    """A function that measures an index of cells and reads the file."""
    files = write_vectors(tmp_path, "passages", [f"p{row}" for row in range(300)], PASSAGES)
    build_index(**files, factory="IVF4,Flat", ef_construction=None, index_folder=tmp_path / "index", threads=1)
    np.save(tmp_path / "queries.npy", QUERIES)

    def measure(**changes):
        settings = {"depth": 10, "drop_own_passage": False, "parameters": {"nprobe": 2}, "queries": 5, "threads": 1}
        index_costs.measure_search(
            index_folder=tmp_path / "index",
            vectors_path=tmp_path / "queries.npy",
            system="dot/seed-1/cells",
            test_set="dev",
            efficiency_path=tmp_path / "search.json",
            **(settings | changes),
        )
        return json.loads((tmp_path / "search.json").read_text())

    return measure


def test_single_queries_are_timed_after_one_for_warming_up(clock, measure, monkeypatch):
    searches, seconds = [], iter([50, 3, 1, 9, 2, 4])

    def slow(index, vectors_QD, depth):
        searches.append((vectors_QD, depth, index.nprobe))
        clock.now += next(seconds)
        return search(index, vectors_QD, depth)

    search = index_costs.search
    monkeypatch.setattr(index_costs, "search", slow)
    cost = measure(drop_own_passage=True)
    assert [vectors.shape for vectors, _, _ in searches] == [(1, 16)] * 6
    found = np.concatenate([vectors for vectors, _, _ in searches])
    assert np.array_equal(found, QUERIES[[0, 0, 2, 4, 6, 8]])
    assert {(depth, nprobe) for _, depth, nprobe in searches} == {(11, 2)}
    assert cost.pop("device")
    assert cost == {
        "system": "dot/seed-1/cells",
        "test_set": "dev",
        "queries": 5,
        "depth": 10,
        "threads": 1,
        "milliseconds": 3000.0,
    }


def test_where_there_are_fewer_queries_all_are_taken_and_counted(clock, measure):
    assert measure(queries=100)["queries"] == 9


def test_searching_is_timed_by_the_real_clock(measure, monkeypatch):
    monkeypatch.setattr(timing, "ENOUGH_SECONDS", 0.0)
    assert 0 < measure()["milliseconds"] < 1000
