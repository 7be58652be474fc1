"""Scores of the architectures against plain transformers calls, one text or pair at a time."""

import numpy as np
import pytest

QUERIES, PASSAGES = range(6), range(10, 22)
CLS, SEP = 2, 3  # in the vocabulary of the tiny encoder


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
def plain_pair(tiny_encoder, torch):
    """A function from the token ids of a query and a passage to the token vectors of one input of both.

    By transformers alone; with a bias, in the mask. The number of the query's tokens comes along.
    """
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny_encoder).eval()

    def token_vectors(query, passage, bias=0.0):
        query_ids, passage_ids = [CLS, *query[:10].tolist(), SEP], [*passage[:30].tolist(), SEP]
        segments = np.array([0] * len(query_ids) + [1] * len(passage_ids))
        mask = np.where(segments[:, None] == segments[None, :], 0.0, bias)
        with torch.no_grad():
            output = model(
                input_ids=torch.tensor([query_ids + passage_ids]),
                token_type_ids=torch.tensor([segments.tolist()]),
                attention_mask=torch.tensor(mask, dtype=torch.float32)[None, None],
            )
        return output.last_hidden_state[0].double().numpy(), len(query_ids)

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


def test_bert_dot_is_the_dot_product_of_pooled_vectors(bert_dot_variant, make_ranker, texts, plain, score):
    def vector(text, limit):
        hidden = plain(text, limit)
        pooled = hidden[0] if bert_dot_variant["pooling"] == "cls" else hidden.mean(axis=0)
        return pooled / np.sqrt((pooled**2).sum()) if bert_dot_variant.get("normalize") else pooled

    queries = [vector(texts.queries[row], 12) for row in QUERIES]
    passages = [vector(texts.passages[row], 32) for row in PASSAGES]
    expected = [float(np.dot(query, passage)) for query in queries for passage in passages]
    assert score(make_ranker(**bert_dot_variant), *pairs()) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("normalize", "dimensions"), [(False, None), (True, None), (False, 8), (True, 8)])
def test_colbert_sums_the_best_match_of_every_query_token(normalize, dimensions, make_ranker, texts, plain, score):
    ranker = make_ranker(architecture="colbert", normalize=normalize, dimensions=dimensions)
    assert (ranker.linear is None) == (dimensions is None)
    matrix = ranker.linear.weight.detach().double().numpy() if dimensions else np.eye(32)
    assert matrix.shape == (dimensions or 32, 32)

    def vectors(text, limit):
        hidden = plain(text, limit) @ matrix.T
        return hidden / np.sqrt((hidden**2).sum(axis=1, keepdims=True)) if normalize else hidden

    passages = [vectors(texts.passages[row], 32) for row in PASSAGES]
    expected = []
    for row in QUERIES:
        query = vectors(texts.queries[row], 12)
        for passage in passages:
            expected.append(sum(max(float(one @ other) for other in passage) for one in query))
    assert score(ranker, *pairs()) == pytest.approx(expected, rel=1e-5)


def test_max_sim_ignores_padding_even_where_all_dot_products_are_negative(torch):
    from stillroom.pooling import max_sim

    dots = torch.tensor([[-3.0, -2.0, 0.0], [-7.0, -9.0, 0.0], [0.0, 0.0, 0.0]])  # the last row and column are padding
    assert max_sim(dots, torch.tensor([True, True, False]), torch.tensor([True, True, False])).item() == -9.0


def test_the_temperature_divides_every_kind_of_score(dual_variant, make_ranker, texts, score, torch):
    plain, warm = make_ranker(**dual_variant), make_ranker(**dual_variant, temperature=0.05)
    assert score(warm, *pairs()) == pytest.approx(score(plain, *pairs()) / 0.05, rel=1e-5)
    queries, passages = texts.query_tokens.take(QUERIES), texts.passage_tokens.take(PASSAGES)
    with torch.inference_mode():
        found = warm.score_all(queries, passages) * 0.05
        assert found.numpy() == pytest.approx(plain.score_all(queries, passages).numpy(), rel=1e-5)


def test_bert_cat_with_cls_pooling_is_transformers_sequence_classification(make_ranker, texts, score, tmp_path, torch):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    make_ranker(architecture="bert_cat").save(tmp_path)
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


def test_bert_cat_with_max_sim_sums_the_largest_cosine_of_every_query_token_within_one_input(
    make_ranker, texts, plain_pair, score
):
    expected = []
    for query, passage in zip(*pairs(), strict=True):
        hidden, query_length = plain_pair(texts.query_tokens[query], texts.passage_tokens[passage])
        unit = hidden / np.sqrt((hidden**2).sum(axis=1, keepdims=True))
        cosines = [[float(one @ other) for other in unit[query_length:]] for one in unit[:query_length]]
        expected.append(sum(max(row) for row in cosines) / 0.05)
    ranker = make_ranker(architecture="bert_cat", pooling="max_sim", temperature=0.05)
    assert score(ranker, *pairs()) == pytest.approx(expected, rel=1e-5)


def test_bert_cat_with_max_sim_has_no_weights_beside_the_encoders(make_ranker):
    ranker = make_ranker(architecture="bert_cat", pooling="max_sim")
    assert sum(tensor.numel() for tensor in ranker.parameters()) == ranker.encoder.num_parameters()


@pytest.mark.parametrize("bias", [-2.0, 0.75])
def test_a_cross_attention_bias_is_added_to_the_attention_logits_between_query_and_passage(
    bias, make_ranker, texts, plain_pair, score
):
    ranker = make_ranker(architecture="bert_cat", pooling="mean", cross_attention_bias=bias)
    weight, constant = (tensor.detach().double().numpy() for tensor in ranker.classifier.parameters())
    expected = []
    for query, passage in zip(*pairs(), strict=True):
        hidden, _ = plain_pair(texts.query_tokens[query], texts.passage_tokens[passage], bias)
        expected.append(float(weight[0] @ hidden.mean(axis=0) + constant[0]))
    assert score(ranker, *pairs()) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    unbiased = make_ranker(architecture="bert_cat", pooling="mean")
    assert np.abs(score(unbiased, *pairs()) - expected).max() > 1e-2


def test_a_very_negative_cross_attention_bias_leaves_query_vectors_that_do_not_depend_on_the_passage(
    make_ranker, texts, plain, torch
):
    ranker = make_ranker(architecture="bert_cat", cross_attention_bias=-1e4)
    seen = []
    ranker.encoder.register_forward_hook(lambda module, inputs, output: seen.append(output.last_hidden_state))
    with torch.inference_mode():
        ranker.score([texts.query_tokens[0]] * 2, texts.passage_tokens.take([10, 11]))
    (hidden,) = seen
    alone = plain(texts.queries[0], 12)
    for with_passage in hidden[:, : len(alone)].double().numpy():
        assert with_passage == pytest.approx(alone, rel=1e-4, abs=1e-5)


def test_the_temperature_divides_the_scores_of_bert_cat(make_ranker, score):
    plain, warm = (make_ranker(architecture="bert_cat", temperature=temperature) for temperature in (1, 0.05))
    assert score(warm, *pairs()) == pytest.approx(score(plain, *pairs()) / 0.05, rel=1e-5)


def test_padding_batch_and_order_do_not_change_a_score(variant, make_ranker, texts, torch):
    ranker, random = make_ranker(**variant), np.random.default_rng(1)
    queries, passages = (
        [tokens[row][: random.integers(1, limit)] for row in random.integers(0, 24, 72)]
        for tokens, limit in [(texts.query_tokens, 11), (texts.passage_tokens, 31)]
    )
    shuffled = random.permutation(72)
    with torch.inference_mode():
        together = ranker.score(queries, passages).numpy()
        alone = [ranker.score([query], [passage]).item() for query, passage in zip(queries, passages, strict=True)]
        again = ranker.score([queries[row] for row in shuffled], [passages[row] for row in shuffled]).numpy()
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(alone).max()
    assert np.abs(together[shuffled] - again).max() <= 1e-5 * np.abs(together).max()
    assert together.std() > 1e-3  # scores that are all equal would prove nothing


def test_gradients_are_finite_beside_padding(variant, make_ranker, texts, torch):
    ranker = make_ranker(**variant).train()
    ranker.score(
        texts.query_tokens.take([0, 1]), [texts.passage_tokens[2], texts.passage_tokens[3][:5]]
    ).sum().backward()
    gradients = [parameter.grad for parameter in ranker.parameters() if parameter.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


def test_scores_of_all_pairs_are_those_of_single_pairs(dual_variant, make_ranker, texts, score, torch):
    ranker = make_ranker(**dual_variant)
    with torch.inference_mode():
        scores = ranker.score_all(texts.query_tokens.take(QUERIES), texts.passage_tokens.take(PASSAGES))
    assert scores.shape == (len(QUERIES), len(PASSAGES))
    assert scores.flatten().tolist() == pytest.approx(score(ranker, *pairs()).tolist(), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("columns", [2, 4])
def test_scores_of_groups_have_a_column_for_every_passage_of_a_query(
    columns, variant, make_ranker, texts, score, torch
):
    ranker = make_ranker(**variant)
    passages = np.arange(3, 3 + 3 * columns)
    with torch.inference_mode():
        found = ranker.score_groups(texts.query_tokens.take([0, 1, 2]), texts.passage_tokens.take(passages))
    assert found.shape == (3, columns)
    for column, rows in enumerate(np.split(passages, columns)):
        expected = score(ranker, [0, 1, 2], rows).tolist()
        assert found[:, column].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_texts_are_cut_to_their_limits_and_not_before(variant, make_ranker, texts, torch):
    ranker = make_ranker(**variant)
    long = texts.passage_tokens.take([int(np.argmax(texts.passage_tokens.lengths))])
    assert len(long[0]) > 40

    def score(query, passage):
        with torch.inference_mode():
            return ranker.score([query], [passage]).item()

    query = long[0][5:]
    assert score(query, long[0]) == score(query[:10], long[0][:30])  # 12 and 32, with [CLS] and [SEP]
    assert score(query, long[0]) != pytest.approx(score(query[:9], long[0]), rel=1e-6)
    assert score(query, long[0]) != pytest.approx(score(query, long[0][:29]), rel=1e-6)


def test_texts_without_a_token_have_a_score(variant, make_ranker, texts, torch):
    ranker, empty = make_ranker(**variant), np.array([], dtype=np.uint16)
    with torch.inference_mode():
        both = ranker.score([empty, texts.query_tokens[0]], [texts.passage_tokens[0], empty])
    assert torch.isfinite(both).all()


@pytest.mark.parametrize("architecture", ["bert_dot", "bert_cat", "colbert"])
def test_passages_may_be_cut_shorter_while_training(architecture, make_ranker, texts):
    long = texts.passage_tokens[int(np.argmax(texts.passage_tokens.lengths))]
    for limit, training, expected in [(20, True, 20), (20, False, 32), (None, True, 32)]:
        ranker = make_ranker(architecture=architecture, training__passage_tokens=limit).train(training)
        cut = ranker.passage_input(long).tolist()
        assert cut == [ranker.tokenizer.cls_token_id, *long[: expected - 2], ranker.tokenizer.sep_token_id]
        assert len(ranker.query_input(long)) == 12
