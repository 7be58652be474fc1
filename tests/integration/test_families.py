"""BERT_CAT on encoders of other families: what each of them is read by, by transformers alone, one pair at a time."""

import json

import numpy as np
import pytest

CLS, SEP = 2, 3  # in the vocabulary of the tiny encoder
POOLERS = {"albert": "pooler", "bert": "pooler.dense", "roberta": "pooler.dense", "distilbert": None, "electra": None}


@pytest.fixture(params=POOLERS)
def family(request):
    return request.param


@pytest.fixture
def ranker(family, make_ranker, family_encoder):
    """A BERT_CAT of each family."""
    return make_ranker(architecture="bert_cat", encoder__weights=str(family_encoder(family)))


@pytest.fixture
def pairs(texts):
    """Queries and passages of many lengths."""
    return texts.query_tokens.take([0, 1, 2, 3]), [texts.passage_tokens[row][: 7 * row] for row in (1, 2, 3, 4)]


def test_bert_cat_reads_the_pooler_of_families_that_have_one_and_cls_of_others(
    family, ranker, pairs, family_encoder, torch
):
    from transformers import AutoModel

    plain, expected = AutoModel.from_pretrained(family_encoder(family)).eval(), []
    weight, bias = (tensor.detach().double().numpy() for tensor in ranker.classifier.parameters())
    for query, passage in zip(*pairs, strict=True):
        first, second = [CLS, *query[:10].tolist(), SEP], [*passage[:30].tolist(), SEP]
        segments = {"token_type_ids": torch.tensor([[0] * len(first) + [1] * len(second)])}
        with torch.no_grad():
            has_segments = family not in ("distilbert", "roberta")
            hidden = plain(torch.tensor([first + second]), **segments if has_segments else {}).last_hidden_state
        vector = hidden[0, 0].double().numpy()
        if POOLERS[family]:
            pooler = plain.get_submodule(POOLERS[family])
            matrix, shift = (tensor.detach().double().numpy() for tensor in pooler.parameters())
            vector = np.tanh(matrix @ vector + shift)
        expected.append(float(weight[0] @ vector + bias[0]))
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_bert_cat_of_any_family_reads_back_with_identical_scores(ranker, pairs, tmp_path, torch):
    from stillroom.ranker import load_ranker

    ranker.save(tmp_path)
    with torch.inference_mode():
        assert load_ranker(tmp_path).score(*pairs).tolist() == ranker.score(*pairs).tolist()


def test_a_folder_calls_itself_a_sequence_classification_only_where_transformers_scores_alike(
    family, ranker, pairs, tmp_path, torch
):
    from transformers import AutoModelForSequenceClassification

    ranker.save(tmp_path)
    named = json.loads((tmp_path / "config.json").read_text())["architectures"]
    if family not in ("albert", "bert"):
        assert "ForSequenceClassification" not in named[0]
        return
    reference, told = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert named == [type(reference).__name__]
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    query, passage = pairs[0][3], pairs[1][3]
    first, second = [CLS, *query[:10].tolist(), SEP], [*passage[:30].tolist(), SEP]
    with torch.inference_mode():
        segments = torch.tensor([[0] * len(first) + [1] * len(second)])
        expected = reference.eval()(torch.tensor([first + second]), token_type_ids=segments).logits.item()
        assert ranker.score([query], [passage]).item() == pytest.approx(expected, rel=1e-5)
