"""Exact search against float64 brute force and faiss, in blocks of any size."""

import faiss
import numpy as np
import pytest

RANDOM = np.random.default_rng(12)
PASSAGES = (RANDOM.normal(size=(230, 16)) * RANDOM.uniform(0.5, 30, (230, 1))).astype(np.float32)
QUERIES = RANDOM.normal(size=(31, 16)).astype(np.float32)


@pytest.fixture
def search(torch, monkeypatch):
    """A function that searches in blocks of some sizes, and joins the blocks of queries that it gets."""
    from stillroom import exact_search

    def search(depth, passages=PASSAGES, queries=QUERIES, **sizes):
        for name, size in sizes.items():
            monkeypatch.setattr(exact_search, name, size)
        blocks = list(exact_search.search_exactly(passages, queries, depth, torch.device("cpu")))
        scores, rows = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return scores, rows, len(blocks)

    return search


BLOCKS = {
    "one block": {},
    "small blocks of both": {"BLOCK_PASSAGES": 7, "BLOCK_QUERIES": 4, "BLOCK_PAIRS": 5},
    "several readings": {"BLOCK_PASSAGES": 50, "BYTES_OF_QUERIES": 3_000},
    "single queries": {"BLOCK_PASSAGES": 100, "BYTES_OF_QUERIES": 1},
    "runs of passages": {"BLOCK_PASSAGES": 48, "BLOCK_QUERIES": 8, "RUN_PASSAGES": 4},
}


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("depth", [1, 10, 230, 1000])
def test_the_best_passages_of_brute_force_are_found(depth, blocks, search):
    scores, rows, readings = search(depth, **BLOCKS[blocks])
    products = QUERIES.astype(np.float64) @ PASSAGES.astype(np.float64).T
    kept = min(depth, 230)
    assert scores.shape == rows.shape == (31, kept)
    assert scores.dtype == np.float32
    assert rows.tolist() == np.argsort(-products, axis=1)[:, :kept].tolist()
    assert np.array_equal(scores, np.take_along_axis(products, rows, axis=1).astype(np.float32))
    assert readings == {"one block": 1, "small blocks of both": 1, "single queries": 31}.get(blocks, readings)


@pytest.mark.parametrize("depth", [5, 40])
def test_scores_are_those_of_faiss(depth, search):
    index = faiss.IndexFlatIP(16)
    index.add(PASSAGES)
    expected, expected_rows = index.search(QUERIES, depth)
    scores, rows, _ = search(depth, **BLOCKS["small blocks of both"])
    assert np.array_equal(rows, expected_rows)
    assert scores == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_no_passage_is_found_twice_where_many_are_alike(search):
    copies = np.repeat(PASSAGES[:3], 40, axis=0)
    scores, rows, _ = search(100, passages=copies, **BLOCKS["small blocks of both"])
    assert all(len(set(of_query)) == 100 for of_query in rows.tolist())
    products = np.sort(QUERIES.astype(np.float64) @ copies.astype(np.float64).T, axis=1)[:, ::-1]
    assert scores == pytest.approx(products[:, :100], rel=1e-6)


def test_the_best_passages_may_come_last(search):
    order = np.argsort(QUERIES[0] @ PASSAGES.T)  # the best of the first query is in the last block
    _, rows, _ = search(3, passages=PASSAGES[order], queries=QUERIES[:1], **BLOCKS["small blocks of both"])
    assert rows.tolist() == [[229, 228, 227]]


@pytest.mark.parametrize("copies", [1, 3])
def test_what_is_selected_from_has_all_that_is_better(copies, search, monkeypatch):
    """Single queries, so that few runs are promising; with copies, scores are equal in several blocks."""
    from stillroom import exact_search

    promising, shares = exact_search.promising, []

    def watch(scores, last):
        found = promising(scores, last)
        shares.append(found[0].shape[1] / scores.shape[1])
        return found

    monkeypatch.setattr(exact_search, "promising", watch)
    passages = np.concatenate([RANDOM.normal(size=(1600, 16)).astype(np.float32)] * copies)
    sizes = {"BLOCK_PASSAGES": 200, "BLOCK_QUERIES": 1, "RUN_PASSAGES": 2}
    scores, rows, _ = search(10, passages=passages, **sizes)
    products = QUERIES.astype(np.float64) @ passages.astype(np.float64).T
    assert np.array_equal(scores, np.sort(products, axis=1)[:, : -10 - 1 : -1].astype(np.float32))
    assert np.array_equal(scores, np.take_along_axis(products, rows, axis=1).astype(np.float32))
    assert all(len(set(of_query)) == 10 for of_query in rows.tolist())
    assert any(0 < share < 0.5 for share in shares)


@pytest.mark.parametrize("run", [1, 4, 8])
def test_few_passages_are_selected_from_once_good_ones_are_known(run, search, monkeypatch):
    from stillroom import exact_search

    promising, sizes = exact_search.promising, []

    def watch(scores, last):
        found = promising(scores, last)
        sizes.append(found[0].shape[1])
        return found

    monkeypatch.setattr(exact_search, "promising", watch)
    falling = PASSAGES[np.argsort(-(QUERIES[0] @ PASSAGES.T))]
    _, rows, _ = search(3, passages=falling, queries=QUERIES[:1], BLOCK_PASSAGES=40, RUN_PASSAGES=run)
    assert rows.tolist() == [[0, 1, 2]]
    assert sizes == [40, 0, 0, 0, 0, 30 if 30 % run else 0]


def test_mapped_vectors_are_searched(search, write_vectors, tmp_path):
    from stillroom.vectors import open_vectors

    files = write_vectors(tmp_path, "passages", [f"p{row}" for row in range(230)], PASSAGES)
    mapped = open_vectors(files["vectors_path"])
    for found, expected in zip(search(20, passages=mapped), search(20), strict=True):
        assert np.array_equal(found, expected)


def test_a_collection_without_passages_finds_nothing(search):
    scores, rows, _ = search(10, passages=PASSAGES[:0])
    assert scores.shape == rows.shape == (31, 0)
