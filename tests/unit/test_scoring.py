"""Scores of pairs: as one by one, every distinct text once, and not again after an interruption."""

import numpy as np
import pyarrow.parquet as pq
import pytest

RANDOM = np.random.default_rng(4)
ARCHITECTURES = ["bert_dot", "bert_cat", "colbert"]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 16 pairs, so that a few dozen pairs make several."""
    from stillroom import scoring

    monkeypatch.setattr(scoring, "BLOCK_PAIRS", 16)
    return scoring


def some_pairs():
    return RANDOM.integers(0, 24, 50), RANDOM.integers(0, 120, 50)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_of_pairs_are_those_of_single_pairs(architecture, small_blocks, make_ranker, texts, torch):
    ranker, (query_rows, passage_rows) = make_ranker(architecture=architecture), some_pairs()
    found = small_blocks.score_pairs(ranker, texts.query_tokens, texts.passage_tokens, query_rows, passage_rows)
    with torch.inference_mode():
        expected = [
            ranker.score([texts.query_tokens[query]], [texts.passage_tokens[passage]]).item()
            for query, passage in zip(query_rows, passage_rows, strict=True)
        ]
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_dual_encoder_represents_each_distinct_text_once(make_ranker, texts, watched_encoder):
    from stillroom.scoring import score_pairs

    query_rows, passage_rows = np.repeat([3, 5], 30), np.tile([7, 8, 9], 20)
    with watched_encoder() as seen:
        score_pairs(make_ranker(), texts.query_tokens, texts.passage_tokens, query_rows, passage_rows)
    assert sum(seen) == 2 + 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_finished_parts_are_used_and_not_scored_again(
    architecture, small_blocks, make_ranker, texts, watched_encoder, tmp_path, caplog
):
    ranker, pairs = make_ranker(architecture=architecture), some_pairs()
    work = (ranker, texts.query_tokens, texts.passage_tokens, *pairs)
    expected = small_blocks.score_pairs(*work)
    parts = tmp_path / "parts"
    parts.mkdir()
    with watched_encoder() as whole:
        assert np.array_equal(small_blocks.score_pairs_resumably(*work, parts=parts), expected)
    assert sorted(path.name for path in parts.iterdir()) == ["0.npy", "1.npy", "2.npy", "3.npy"]
    (parts / "2.npy").unlink()
    np.save(parts / "1.npy", np.load(parts / "1.npy") + 100)  # a mark: only what is read can show it
    caplog.set_level("INFO")
    with watched_encoder() as again:
        resumed = small_blocks.score_pairs_resumably(*work, parts=parts)
    order = np.argsort(pairs[1], kind="stable")
    assert resumed[order[16:32]].tolist() == (expected[order[16:32]] + 100).tolist()
    rest = np.concatenate([order[:16], order[32:]])
    assert np.array_equal(resumed[rest], expected[rest])
    assert 0 < sum(again) < sum(whole) / 2
    assert "34 of 50 pairs were scored before" in caplog.text


def test_a_half_written_part_is_no_part(small_blocks, make_ranker, texts, tmp_path):
    ranker, pairs = make_ranker(), some_pairs()
    work = (ranker, texts.query_tokens, texts.passage_tokens, *pairs)
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "1.part.npy").write_bytes(b"\x93NUMPY")
    assert np.array_equal(small_blocks.score_pairs_resumably(*work, parts=parts), small_blocks.score_pairs(*work))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_that_are_not_finite_stop(architecture, make_ranker, texts, torch):
    from stillroom.scoring import score_pairs

    ranker = make_ranker(architecture=architecture)
    with torch.no_grad():
        ranker.encoder.embeddings.LayerNorm.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"^50 of 50 scores are not finite; train it again\.$"):
        score_pairs(ranker, texts.query_tokens, texts.passage_tokens, *some_pairs())


def test_every_distinct_pair_of_the_triples_is_there_once():
    from stillroom.pair_scores import distinct_pairs

    query, positive, negative = (RANDOM.integers(0, count, 400).astype(np.int32) for count in (9, 7, 7))
    query[0], positive[0] = 400_000, 8_841_822  # the sizes of MS MARCO
    expected = set(zip(query.tolist(), positive.tolist(), strict=True))
    expected |= set(zip(query.tolist(), negative.tolist(), strict=True))
    found = distinct_pairs(query, positive, negative)
    assert [tuple(pair) for pair in found.tolist()] == sorted(expected)


@pytest.fixture
def score_triples(collection, scoring_inputs, tmp_path):
    """A function that scores as the rule does, and returns the two tables."""
    from stillroom import pair_scores

    def score(model_folder, folder=tmp_path):
        pair_scores.score_triples(
            model_folder=model_folder,
            triples_path=collection / "triples.parquet",
            queries_path=collection / "queries.parquet",
            validation_queries_path=collection / "validation_queries.parquet",
            validation_run_path=collection / "validation_run.trec",
            triples_scores_path=folder / "triples.parquet",
            validation_scores_path=folder / "validation.parquet",
            **scoring_inputs,
        )
        return pq.read_table(folder / "triples.parquet"), pq.read_table(folder / "validation.parquet")

    return score


def test_scored_triples_and_validation_candidates_are_those_of_single_pairs(
    score_triples, make_ranker, save_ranker, collection, texts, tmp_path, torch
):
    from stillroom.runs import read_run

    ranker = make_ranker(architecture="bert_cat")
    triples, validation = score_triples(save_ranker(architecture="bert_cat"))
    run = read_run(collection / "validation_run.trec")
    assert validation["passage"].to_pylist() == [texts.passage_ids.index(name) for name in run["passage_id"]]
    assert validation["query"].to_pylist() == [int(name[1:]) - 24 for name in run["query_id"]]
    for table, queries in [(triples, texts.query_tokens), (validation, texts.validation_query_tokens)]:
        assert table.column_names == ["query", "passage", "score"]
        for row in table.to_pylist()[::9]:
            with torch.inference_mode():
                expected = ranker.score([queries[row["query"]]], [texts.passage_tokens[row["passage"]]]).item()
            assert row["score"] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "triples.parquet", "validation.parquet"}


def test_parts_of_the_same_weights_with_another_length_limit_are_not_used(
    score_triples, save_ranker, tmp_path, monkeypatch
):
    """As after a kill and a change of the config: an exported ranker keeps its weights."""
    from stillroom import pair_scores

    short, model = save_ranker("short", encoder__passage_tokens=6), save_ranker()
    assert (short / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(pair_scores, "atomic_path", None)  # the job dies after scoring
        with pytest.raises(TypeError):
            score_triples(short)
    assert list(tmp_path.glob(".triples.parquet-*/0.npy"))
    (tmp_path / "fresh").mkdir()
    assert score_triples(model)[0].equals(score_triples(model, tmp_path / "fresh")[0])
