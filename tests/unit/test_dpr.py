"""DPR: two encoders, each of which others can open."""

import numpy as np
import pytest

from stillroom.vectors import open_vectors


@pytest.fixture
def ranker(make_ranker, torch):
    """A DPR whose encoders differ, as after a training."""
    ranker = make_ranker(architecture="dpr", pooling="cls", temperature=0.5)
    with torch.no_grad():
        for parameter in ranker.query_encoder.parameters():
            parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
    return ranker


@pytest.fixture
def folder(ranker, tmp_path):
    ranker.save(tmp_path / "model")
    return tmp_path / "model"


def plain_vector(folder, text, limit, torch):
    """[CLS] of the encoder in a folder, by transformers alone."""
    from transformers import AutoModel, AutoTokenizer

    model, told = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    inputs = AutoTokenizer.from_pretrained(folder)(text, truncation=True, return_tensors="pt")
    assert inputs["input_ids"].shape[1] <= limit
    with torch.no_grad():
        return model.eval()(**inputs).last_hidden_state[0, 0].double().numpy()


def test_scores_are_dot_products_of_vectors_by_two_plain_encoders(ranker, folder, texts, torch):
    queries = [plain_vector(folder / "query", texts.queries[row], 12, torch) for row in range(3)]
    passages = [plain_vector(folder / "passage", texts.passages[row], 32, torch) for row in range(10, 14)]
    expected = [float(query @ passage) / 0.5 for query in queries for passage in passages]
    rows = [(query, passage) for query in range(3) for passage in range(10, 14)]
    with torch.inference_mode():
        scores = ranker.score(
            texts.query_tokens.take(query for query, _ in rows), texts.passage_tokens.take(row for _, row in rows)
        )
        together = ranker.score_all(texts.query_tokens.take(range(3)), texts.passage_tokens.take(range(10, 14)))
    assert scores.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-4)
    assert together.flatten().tolist() == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_the_two_encoders_start_alike_and_are_trained_apart(make_settings, make_ranker, texts, collection, torch):
    from stillroom.training import Trainer
    from stillroom.triples import read_triples

    model, name = make_ranker(architecture="dpr"), "encoder.layer.0.output.dense.weight"
    query, passage = model.query_encoder.get_parameter(name), model.encoder.get_parameter(name)
    assert torch.equal(query, passage) and query is not passage
    before = query.detach().clone()
    triples = read_triples(collection / "triples.parquet")
    Trainer(model.train(), make_settings(), 1, triples, texts.query_tokens, texts.passage_tokens).step()
    assert not torch.equal(query, before) and not torch.equal(passage, before) and not torch.equal(query, passage)


def test_a_folder_reads_back_with_both_encoders(ranker, folder, texts, torch):
    from stillroom.ranker import load_ranker

    loaded, queries, passages = load_ranker(folder), texts.query_tokens.take([0, 1]), texts.passage_tokens.take([2, 3])
    with torch.inference_mode():
        assert torch.equal(loaded.encode_queries(queries), ranker.encode_queries(queries))
        assert torch.equal(loaded.encode_passages(passages), ranker.encode_passages(passages))


def test_each_side_is_a_bert_dot_that_sentence_transformers_opens(ranker, folder, texts, torch):
    from sentence_transformers import SentenceTransformer

    from stillroom.ranker import load_ranker

    sides = {"query": (texts.queries, ranker.encode_queries), "passage": (texts.passages, ranker.encode_passages)}
    tokens = {"query": texts.query_tokens, "passage": texts.passage_tokens}
    for side, (strings, encode) in sides.items():
        with torch.inference_mode():
            expected = encode(tokens[side].take(range(6))).numpy()
            found = load_ranker(folder / side).encode_passages(tokens[side].take(range(6))).numpy()
        assert np.array_equal(found, expected)
        theirs = SentenceTransformer(str(folder / side), device="cpu").encode(strings[:6])
        assert theirs == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_steps_that_encode_use_the_encoder_of_their_side(ranker, folder, collection, texts, tmp_path, torch):
    from stillroom.encoding import encode_passages, encode_queries

    encode_passages(
        model_folder=folder,
        tokens_folder=collection / "tokens",
        vectors_path=tmp_path / "passages.faiss",
        threads=1,
        code="code",
    )
    encode_queries(
        model_folder=folder,
        queries_path=collection / "queries.parquet",
        vectors_path=tmp_path / "queries.npy",
        threads=1,
    )
    with torch.inference_mode():
        queries = ranker.encode_queries(texts.query_tokens.take(range(24))).numpy()
        passages = ranker.encode_passages(texts.passage_tokens.take(range(120))).numpy()
    assert np.load(tmp_path / "queries.npy") == pytest.approx(queries, rel=1e-4, abs=1e-5)
    assert open_vectors(tmp_path / "passages.faiss") == pytest.approx(passages, rel=1e-4, abs=1e-5)


def test_what_others_compute_again_depends_on_both_encoders(ranker, folder, torch):
    from stillroom.files import digest
    from stillroom.ranker import model_files

    before = [digest(path) for path in model_files(folder)]
    with torch.no_grad():
        ranker.query_encoder.embeddings.LayerNorm.bias[0] += 1
    ranker.save(folder)
    assert [digest(path) for path in model_files(folder)] != before


def test_the_folder_as_a_whole_is_no_encoder(folder):
    assert not (folder / "config.json").exists() and not (folder / "modules.json").exists()
