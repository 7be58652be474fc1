"""Packed texts: what encoders make of them is what they make of padded ones."""

from itertools import pairwise

import numpy as np
import pytest

FAMILIES = ["bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"]


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


@pytest.mark.parametrize("family", ["albert", *FAMILIES])
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


def test_padding_in_the_midst_of_a_text_is_counted_as_the_encoder_does(make_ranker, family_encoder, kernel, torch):
    ranker = make_ranker(encoder__weights=str(family_encoder("roberta")))
    passages = [np.array([5, 0, 7, 8]), np.arange(5, 12)]
    with torch.inference_mode():
        expected = ranker.encode_passages(passages)
        torch.testing.assert_close(packing(ranker).encode_passages(passages), expected, rtol=1e-4, atol=1e-4)
    assert set(kernel) == {2}


@pytest.mark.parametrize(("heads", "is_packed"), [(4, True), (2, True), (8, False)])
def test_heads_that_the_kernel_cannot_stay_padded(heads, is_packed, torch):
    """32 dimensions in heads of 8, 16 and 4."""
    from transformers import BertConfig, BertModel

    from stillroom.packed_attention import PACKED, use_packed_attention

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 32, "vocab_size": 9}
    encoder = BertModel(BertConfig(**sizes, num_attention_heads=heads))
    use_packed_attention(encoder)
    assert (encoder.config._attn_implementation == PACKED) is is_packed


def test_the_kernel_itself_has_these_parameters(torch):
    """Traced, as for a compiler, which needs no GPU."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    from stillroom.packed_attention import packed_attention

    with FakeTensorMode():
        parts = [torch.empty(1, 2, 9, 8, dtype=torch.float16) for _ in range(3)]
        starts = torch.empty(4, dtype=torch.int32)
        mixed, _ = packed_attention(None, *parts, None, text_starts=starts, longest=5, scaling=0.5)
    assert (mixed.shape, mixed.dtype) == ((1, 9, 2, 8), torch.float16)


@pytest.mark.parametrize(
    ("precision", "device", "needed"),
    [
        ("fp16", "cuda", "a GPU of compute capability 8.0 or newer"),
        ("fp32", "cuda", "bf16 or fp16 on a GPU"),
        ("bf16", "cpu", "bf16 or fp16 on a GPU"),
    ],
)
def test_a_machine_without_the_kernel_ends_in_one_sentence(precision, device, needed, monkeypatch, torch):
    from stillroom.packed_attention import check_attention

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    check_attention("padded", precision, torch.device(device))
    with pytest.raises(ValueError) as failure:
        check_attention("packed", precision, torch.device(device))
    said = f"inference: attention is packed, which needs {needed}; set attention to padded."
    assert str(failure.value) == said
