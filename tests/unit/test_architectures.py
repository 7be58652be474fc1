"""Scores of the architectures against plain transformers calls, one text or pair at a time."""

import numpy as np
import pytest

QUERIES, PASSAGES = range(6), range(10, 22)
VARIANTS = {
    "bert_dot cls": {"architecture": "bert_dot", "pooling": "cls"},
    "bert_dot mean": {"architecture": "bert_dot", "pooling": "mean"},
    "bert_dot mean normalised": {"architecture": "bert_dot", "pooling": "mean", "normalize": True},
    "bert_cat cls": {"architecture": "bert_cat", "pooling": "cls"},
    "bert_cat mean": {"architecture": "bert_cat", "pooling": "mean"},
    "bert_cat match": {"architecture": "bert_cat", "pooling": "match", "temperature": 0.05},
    "colbert": {"architecture": "colbert"},
    "colbert normalised": {"architecture": "colbert", "normalize": True},
}
DUAL = [name for name in VARIANTS if not name.startswith("bert_cat")]


@pytest.fixture(scope="module")
def plain(tiny_encoder, torch):
    """A function from one text and its limit to the encoder's token vectors, by transformers alone."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(tiny_encoder), AutoModel.from_pretrained(tiny_encoder).eval()

    def token_vectors(text, limit):
        with torch.no_grad():
            inputs = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
            assert inputs["input_ids"].shape[1] <= limit
            return model(**inputs).last_hidden_state[0].double().numpy()

    return token_vectors


@pytest.fixture(scope="module")
def score(texts, torch):
    """A function from a ranker and rows of queries and passages to float64 scores of the pairs."""

    def score(model, query_rows, passage_rows):
        with torch.inference_mode():
            queries, passages = texts.query_tokens.take(query_rows), texts.passage_tokens.take(passage_rows)
            return model.score(queries, passages).double().numpy()

    return score


def pairs():
    return [query for query in QUERIES for _ in PASSAGES], [passage for _ in QUERIES for passage in PASSAGES]


@pytest.mark.parametrize("name", [name for name in DUAL if name.startswith("bert_dot")])
def test_bert_dot_is_the_dot_product_of_pooled_vectors(name, make_ranker, texts, plain, score):
    def vector(text, limit):
        hidden = plain(text, limit)
        pooled = hidden[0] if VARIANTS[name]["pooling"] == "cls" else hidden.mean(axis=0)
        return pooled / np.sqrt((pooled**2).sum()) if VARIANTS[name].get("normalize") else pooled

    queries = [vector(texts.queries[row], 12) for row in QUERIES]
    passages = [vector(texts.passages[row], 32) for row in PASSAGES]
    expected = [float(np.dot(query, passage)) for query in queries for passage in passages]
    assert score(make_ranker(**VARIANTS[name]), *pairs()) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", ["colbert", "colbert normalised"])
def test_colbert_sums_the_best_match_of_every_query_token(name, make_ranker, texts, plain, score):
    def vectors(text, limit):
        hidden = plain(text, limit)
        return hidden / np.sqrt((hidden**2).sum(axis=1, keepdims=True)) if VARIANTS[name].get("normalize") else hidden

    passages = [vectors(texts.passages[row], 32) for row in PASSAGES]
    expected = []
    for row in QUERIES:
        query = vectors(texts.queries[row], 12)
        for passage in passages:
            expected.append(sum(max(float(one @ other) for other in passage) for one in query))
    assert score(make_ranker(**VARIANTS[name]), *pairs()) == pytest.approx(expected, rel=1e-5)


def test_max_sim_ignores_padding_even_where_all_dot_products_are_negative(torch):
    from stillroom.architectures.colbert import max_sim

    dots = torch.tensor([[-3.0, -2.0, 0.0], [-7.0, -9.0, 0.0], [0.0, 0.0, 0.0]])  # the last row and column are padding
    assert max_sim(dots, torch.tensor([True, True, False]), torch.tensor([True, True, False])).item() == -9.0


@pytest.mark.parametrize("name", DUAL)
def test_the_temperature_divides_every_kind_of_score(name, make_ranker, texts, score, torch):
    plain, warm = make_ranker(**VARIANTS[name]), make_ranker(**VARIANTS[name], temperature=0.05)
    assert score(warm, *pairs()) == pytest.approx(score(plain, *pairs()) / 0.05, rel=1e-5)
    queries, passages = texts.query_tokens.take(QUERIES), texts.passage_tokens.take(PASSAGES)
    with torch.inference_mode():
        found = warm.score_all(queries, passages) * 0.05
        assert found.numpy() == pytest.approx(plain.score_all(queries, passages).numpy(), rel=1e-5)


def test_bert_cat_with_cls_pooling_is_transformers_sequence_classification(make_ranker, texts, score, tmp_path, torch):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    make_ranker(architecture="bert_cat", pooling="cls").save(tmp_path)
    reference, told = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokenizer, expected = AutoTokenizer.from_pretrained(tmp_path), []
    for query, passage in zip(*pairs(), strict=True):
        first = tokenizer.encode(texts.queries[query], add_special_tokens=False)[:10]
        second = tokenizer.encode(texts.passages[passage], add_special_tokens=False)[:30]
        ids = [tokenizer.cls_token_id, *first, tokenizer.sep_token_id, *second, tokenizer.sep_token_id]
        segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        with torch.no_grad():
            output = reference.eval()(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([segments]))
        expected.append(output.logits.item())
    assert score(make_ranker(architecture="bert_cat"), *pairs()) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_short_pair_is_the_input_that_transformers_makes_of_two_texts(make_ranker, tmp_path, torch):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    ranker = make_ranker(architecture="bert_cat")
    ranker.save(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    query, passage = "a list", "Return the list."
    with torch.no_grad():
        reference = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
        expected = reference(**tokenizer(query, passage, return_tensors="pt")).logits.item()
        ids = [np.array(tokenizer.encode(text, add_special_tokens=False)) for text in (query, passage)]
        assert ranker.score([ids[0]], [ids[1]]).item() == pytest.approx(expected, rel=1e-5)


def test_bert_cat_with_mean_pooling_reads_the_mean_of_all_token_vectors(make_ranker, texts, score, torch):
    ranker = make_ranker(architecture="bert_cat", pooling="mean")
    query, passage = texts.query_tokens[0], texts.passage_tokens[10]
    first, last = ranker.tokenizer.cls_token_id, ranker.tokenizer.sep_token_id
    ids = [first, *query[:10].tolist(), last, *passage[:30].tolist(), last]
    segments = [0] * (len(query[:10]) + 2) + [1] * (len(passage[:30]) + 1)
    with torch.no_grad():
        hidden = ranker.encoder(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([segments]))[0]
        expected = ranker.classifier(hidden[0].mean(dim=0)).item()
    assert score(ranker, [0], [10]) == pytest.approx(expected, rel=1e-5)


def test_bert_cat_with_match_pooling_starts_as_a_cosine_of_query_and_passage_within_one_input(
    make_ranker, texts, score, tiny_encoder, torch
):
    from transformers import AutoModel

    encoder, expected = AutoModel.from_pretrained(tiny_encoder).eval(), []
    ranker = make_ranker(**VARIANTS["bert_cat match"])
    first, last = ranker.tokenizer.cls_token_id, ranker.tokenizer.sep_token_id
    for query, passage in zip(*pairs(), strict=True):
        query_ids = [first, *texts.query_tokens[query][:10].tolist(), last]
        passage_ids = [*texts.passage_tokens[passage][:30].tolist(), last]
        with torch.no_grad():
            hidden = encoder(
                input_ids=torch.tensor([query_ids + passage_ids]),
                token_type_ids=torch.tensor([[0] * len(query_ids) + [1] * len(passage_ids)]),
                position_ids=torch.tensor([[*range(len(query_ids)), *range(1, len(passage_ids) + 1)]]),
            ).last_hidden_state[0]
        one, other = (part.double().mean(dim=0).numpy() for part in hidden.split([len(query_ids), len(passage_ids)]))
        expected.append(float(one @ other) / np.sqrt((one @ one) * (other @ other)) / 0.05)
    assert score(ranker, *pairs()) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_padding_batch_and_order_do_not_change_a_score(name, make_ranker, score):
    ranker, (queries, passages) = make_ranker(**VARIANTS[name]), pairs()
    alone = np.concatenate([score(ranker, [q], [p]) for q, p in zip(queries[:30], passages[:30], strict=True)])
    together = score(ranker, queries, passages)
    shuffled = np.random.default_rng(1).permutation(len(queries))
    back = np.empty(len(queries))
    back[shuffled] = score(ranker, np.array(queries)[shuffled], np.array(passages)[shuffled])
    assert np.abs(together[:30] - alone).max() <= 1e-5 * np.abs(alone).max()
    assert np.abs(together - back).max() <= 1e-5 * np.abs(together).max()
    assert together.std() > 1e-3  # scores that are all equal would prove nothing


@pytest.mark.parametrize("name", DUAL)
def test_scores_of_all_pairs_are_those_of_single_pairs(name, make_ranker, texts, score, torch):
    ranker = make_ranker(**VARIANTS[name])
    with torch.inference_mode():
        scores = ranker.score_all(texts.query_tokens.take(QUERIES), texts.passage_tokens.take(PASSAGES))
    assert scores.shape == (len(QUERIES), len(PASSAGES))
    assert scores.flatten().tolist() == pytest.approx(score(ranker, *pairs()).tolist(), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_scores_of_triples_have_the_relevant_passage_in_column_0(name, make_ranker, texts, score, torch):
    ranker = make_ranker(**VARIANTS[name])
    with torch.inference_mode():
        found = ranker.score_triples(
            texts.query_tokens.take([0, 1, 2]),
            texts.passage_tokens.take([3, 4, 5]),
            texts.passage_tokens.take([6, 7, 8]),
        )
    assert found.shape == (3, 2)
    assert found[:, 0].tolist() == pytest.approx(score(ranker, [0, 1, 2], [3, 4, 5]).tolist(), rel=1e-5)
    assert found[:, 1].tolist() == pytest.approx(score(ranker, [0, 1, 2], [6, 7, 8]).tolist(), rel=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_texts_are_cut_to_their_limits_and_not_before(name, make_ranker, texts, torch):
    ranker = make_ranker(**VARIANTS[name])
    long = texts.passage_tokens.take([int(np.argmax(texts.passage_tokens.lengths))])
    assert len(long[0]) > 40

    def score(query, passage):
        with torch.inference_mode():
            return ranker.score([query], [passage]).item()

    query = long[0][5:]
    assert score(query, long[0]) == score(query[:10], long[0][:30])  # 12 and 32, with [CLS] and [SEP]
    assert score(query, long[0]) != pytest.approx(score(query[:9], long[0]), rel=1e-6)
    assert score(query, long[0]) != pytest.approx(score(query, long[0][:29]), rel=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_texts_without_a_token_have_a_score(name, make_ranker, texts, torch):
    ranker, empty = make_ranker(**VARIANTS[name]), np.array([], dtype=np.uint16)
    with torch.inference_mode():
        both = ranker.score([empty, texts.query_tokens[0]], [texts.passage_tokens[0], empty])
    assert torch.isfinite(both).all()


@pytest.mark.parametrize("name", ["bert_dot cls", "bert_cat cls", "colbert"])
def test_passages_may_be_cut_shorter_while_training_but_not_longer(name, make_ranker, texts):
    long = texts.passage_tokens[int(np.argmax(texts.passage_tokens.lengths))]
    for limit, training, expected in [(20, True, 20), (20, False, 32), (99, True, 32), (None, True, 32)]:
        ranker = make_ranker(**VARIANTS[name], training__passage_tokens=limit).train(training)
        cut = ranker.passage_input(long).tolist()
        assert cut == [ranker.tokenizer.cls_token_id, *long[: expected - 2], ranker.tokenizer.sep_token_id]
        assert len(ranker.query_input(long)) == 12
