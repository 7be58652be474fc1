"""Chunks of similar length, and padding."""

from itertools import pairwise

import numpy as np
import pytest

from stillroom.batches import chunks_by_length, pad


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


def test_padding_is_masked_and_the_dtype_of_a_token_store_does_no_harm(torch):
    sequences = [np.array([5, 6, 65_535], np.uint16), np.array([7], np.uint16), np.array([], np.uint16)]
    ids, mask = pad(sequences, 9, torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 65_535], [7, 9, 9], [9, 9, 9]]
    assert mask.tolist() == [[True, True, True], [True, False, False], [False, False, False]]
