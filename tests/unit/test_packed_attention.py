"""Packed texts: what encoders make of them is what they make of padded ones."""

from itertools import pairwise

import numpy as np
import pytest


@pytest.fixture
def kernel(monkeypatch, torch):
    """PyTorch's kernel, which needs a GPU, replaced by its formula; the numbers of texts that it is called with."""
    from stillroom import packed_attention

    calls = []

    def attention(query_THD, key_THD, value_THD, starts, key_starts, longest, longest_key, *, scale):
        assert starts.dtype == torch.int32 and starts[0] == 0 and starts[-1] == len(query_THD)
        assert starts is key_starts and longest == longest_key == starts.diff().max()
        calls.append(len(starts) - 1)
        mixed = []
        for start, stop in pairwise(starts):
            query, key, value = (part[start:stop].transpose(0, 1) for part in (query_THD, key_THD, value_THD))
            mixed.append((torch.softmax(query @ key.transpose(1, 2) * scale, dim=-1) @ value).transpose(0, 1))
        return torch.cat(mixed)

    monkeypatch.setattr(packed_attention, "varlen_attn", attention)
    return calls


def scores_of(ranker, texts, torch):
    """Scores of passages of many lengths for as many queries."""
    queries = texts.query_tokens.take(range(24))
    passages = [text[: 1 + row] for row, text in enumerate(texts.passage_tokens.take(range(24)))]
    with torch.inference_mode():
        return ranker.score(queries, passages)


def packing(ranker):
    """The ranker, whose encoders pack from now on."""
    from stillroom.inference import encoders_of
    from stillroom.packed_attention import use_packed_attention

    for encoder in encoders_of(ranker):
        use_packed_attention(encoder)
    return ranker


def test_every_ranker_scores_packed_texts_as_padded_ones(variant, make_ranker, texts, kernel, torch):
    ranker = make_ranker(**variant)
    expected = scores_of(ranker, texts, torch)
    torch.testing.assert_close(scores_of(packing(ranker), texts, torch), expected, rtol=1e-4, atol=1e-5)
    is_padded = variant["architecture"] in ("prettr", "tk") or "cross_attention_bias" in variant
    assert bool(kernel) is not is_padded


@pytest.mark.parametrize("family", ["albert", "bert", "distilbert", "electra", "roberta"])
@pytest.mark.parametrize("architecture", ["bert_cat", "colbert"])
def test_every_family_reads_packed_texts_as_padded_ones(
    family, architecture, make_ranker, family_encoder, texts, kernel, torch
):
    ranker = make_ranker(architecture=architecture, encoder__weights=str(family_encoder(family)))
    expected = scores_of(ranker, texts, torch)
    torch.testing.assert_close(scores_of(packing(ranker), texts, torch), expected, rtol=1e-4, atol=1e-4)
    assert bool(kernel) is (family != "albert")


def test_texts_of_one_length_are_left_as_they_are(make_ranker, texts, kernel, torch):
    ranker, passages = packing(make_ranker()), [np.arange(5, 12)] * 3
    with torch.inference_mode():
        ranker.encode_passages(passages)
    assert kernel == []


def test_the_kernel_itself_takes_what_it_is_given(torch):
    """By what it tells compilers of itself, for which there need be no GPU."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    from stillroom.packed_attention import packed_attention

    with FakeTensorMode():
        parts = [torch.empty(1, 2, 9, 8, dtype=torch.float16) for _ in range(3)]
        starts = torch.empty(4, dtype=torch.int32)
        mixed, _ = packed_attention(None, *parts, None, text_starts=starts, longest=5, scaling=0.5)
    assert (mixed.shape, mixed.dtype) == ((1, 9, 2, 8), torch.float16)


def test_an_old_gpu_ends_in_one_sentence(monkeypatch, torch):
    from stillroom.packed_attention import check_attention

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    check_attention("padded")
    with pytest.raises(ValueError, match=r"^inference: attention is packed, .* 8\.0 or newer; set .* to padded\.$"):
        check_attention("packed")
