"""Chunks of similar length, and padding."""

from itertools import pairwise

import numpy as np
import pytest

from stillroom.batches import chunks_by_length, even_chunks, pad, side_by_side


@pytest.mark.parametrize("chunk_tokens", [1, 50, 64, 500, 10**9])
def test_chunks_hold_every_index_once_and_keep_to_the_budget(chunk_tokens):
    lengths = np.random.default_rng(1).integers(0, 60, 300)
    chunks = chunks_by_length(lengths, chunk_tokens)
    assert sorted(np.concatenate(chunks)) == list(range(300))
    for chunk in chunks:
        padded = len(chunk) * lengths[chunk].max()
        assert padded <= chunk_tokens or len(chunk) == 1  # a text longer than the budget goes alone
    assert (np.diff(np.concatenate([lengths[chunk] for chunk in chunks])) >= 0).all()


def test_chunks_are_as_full_as_the_budget_allows():
    lengths = np.random.default_rng(1).integers(1, 60, 300)
    chunks = chunks_by_length(lengths, 500)
    for chunk, following in pairwise(chunks):
        assert (len(chunk) + 1) * lengths[following[0]] > 500


def test_texts_of_no_token_still_end_in_chunks_of_a_bounded_number():
    assert [len(chunk) for chunk in chunks_by_length([0] * 7, 3)] == [3, 3, 1]
    assert chunks_by_length([], 3) == []


@pytest.mark.parametrize("chunk_tokens", [1, 50, 64, 500, 10**9])
def test_even_chunks_hold_every_index_once_keep_to_the_budget_and_begin_with_the_longest(chunk_tokens):
    lengths = np.random.default_rng(1).integers(0, 60, 300)
    chunks = even_chunks(lengths, chunk_tokens)
    assert sorted(np.concatenate(chunks)) == list(range(300))
    for chunk in chunks:
        assert len(chunk) * lengths[chunk].max() <= chunk_tokens or len(chunk) == 1
    assert (np.diff(np.maximum(lengths, 1)[np.concatenate(chunks)]) <= 0).all()


def test_even_chunks_are_of_one_length_where_there_are_many_of_it():
    many = np.random.default_rng(1).permutation(np.repeat([7, 8, 9], 100))
    chunks = even_chunks(many, 90)
    mixed = [sorted(many[chunk]) for chunk in chunks if len(set(many[chunk])) > 1]
    assert mixed == [[7] * 5 + [8]]  # the one that eleven to a chunk leave over, up to half a chunk
    few = np.arange(1, 31)  # one of each: half a chunk at least, not thirty chunks
    chunks = even_chunks(few, 90)
    assert all(len(chunk) * few[chunk].max() >= 45 for chunk in chunks[:-1])


def test_no_text_makes_no_chunk():
    assert even_chunks([], 3) == []
    assert [len(chunk) for chunk in even_chunks([0] * 7, 3)] == [3, 3, 1]


@pytest.mark.parametrize("threads", [1, 2])
def test_chunks_that_are_run_side_by_side_come_back_in_order_and_learn_nothing(threads, torch):
    weights = torch.ones(3, requires_grad=True)
    torch.set_num_threads(threads)
    try:
        found = side_by_side(lambda chunk: (chunk, torch.get_num_threads(), weights * 2), list(range(20)))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    assert [chunk for chunk, _, _ in found] == list(range(20))
    assert {inner for _, inner, _ in found} == {1}
    assert threads == 1 or not any(result.requires_grad for _, _, result in found)


def test_a_failure_of_one_chunk_is_raised_and_the_threads_come_back(torch):
    def run(chunk):
        raise ValueError(f"chunk {chunk}")

    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="chunk 0"):
            side_by_side(run, [0, 1, 2])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_padding_is_masked_and_the_dtype_of_a_token_store_does_no_harm(torch):
    sequences = [np.array([5, 6, 65_535], np.uint16), np.array([7], np.uint16), np.array([], np.uint16)]
    ids, mask = pad(sequences, 9, torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 65_535], [7, 9, 9], [9, 9, 9]]
    assert mask.tolist() == [[True, True, True], [True, False, False], [False, False, False]]
