"""Scores of pairs: as one by one, every distinct text once, and not again after an interruption."""

import numpy as np
import pyarrow.parquet as pq
import pytest

RANDOM = np.random.default_rng(4)
ARCHITECTURES = ["bert_dot", "bert_cat", "colbert"]


@pytest.fixture
def small_windows(monkeypatch):
    """The module with windows of 16 pairs, so that a few dozen pairs make several."""
    from stillroom import batches, late_interaction, scoring

    monkeypatch.setitem(batches.WINDOW_TEXTS, "cpu", 16)
    monkeypatch.setattr(late_interaction, "WINDOW_TOKEN_VECTORS", 16)
    return scoring


def some_pairs():
    return RANDOM.integers(0, 24, 50), RANDOM.integers(0, 120, 50)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_of_pairs_are_those_of_single_pairs(architecture, small_windows, make_ranker, texts, torch):
    ranker, (query_rows, passage_rows) = make_ranker(architecture=architecture), some_pairs()
    found = small_windows.score_pairs(ranker, texts.query_tokens, texts.passage_tokens, query_rows, passage_rows)
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
def test_what_is_scored_is_used_and_not_scored_again(
    architecture, small_windows, make_ranker, texts, watched_encoder, tmp_path, caplog
):
    ranker, pairs = make_ranker(architecture=architecture), some_pairs()
    work = (ranker, texts.query_tokens, texts.passage_tokens, *pairs)
    expected = small_windows.score_pairs(*work)
    with watched_encoder() as whole:
        assert np.array_equal(small_windows.score_pairs_resumably(*work, parts=tmp_path), expected)
    (file,) = tmp_path.iterdir()
    scores = np.fromfile(file, np.float32)
    order = np.argsort(pairs[1], kind="stable")
    assert np.array_equal(scores, expected[order])
    scores[:32] += 100  # a mark: only what is read can show it
    file.write_bytes(scores[:45].tobytes()[:-2])  # a kill within the third window
    caplog.set_level("INFO")
    with watched_encoder() as again:
        resumed = small_windows.score_pairs_resumably(*work, parts=tmp_path)
    assert resumed[order[:32]].tolist() == (expected[order[:32]] + 100).tolist()
    assert np.array_equal(resumed[order[32:]], expected[order[32:]])
    assert 0 < sum(again) < sum(whole) / 2 + 2
    assert "32 of 50 pairs were scored before" in caplog.text


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_that_are_not_finite_stop(architecture, make_ranker, texts, torch):
    from stillroom.scoring import score_pairs

    ranker = make_ranker(architecture=architecture)
    with torch.no_grad():
        ranker.encoder.embeddings.LayerNorm.weight.fill_(float("nan"))
    with pytest.raises(
        ValueError, match=r"^50 of 50 scores are not finite; set precision to bf16 .* train the ranker again\.$"
    ):
        score_pairs(ranker, texts.query_tokens, texts.passage_tokens, *some_pairs())


def test_every_distinct_pair_of_the_triples_is_there_once(write_triples, tmp_path):
    from stillroom.pair_scores import distinct_pairs, query_and_passage

    query, positive, negative = (RANDOM.integers(0, count, 400).astype(np.int32) for count in (9, 7, 7))
    query[0], positive[0] = 400_000, 8_841_822  # the sizes of MS MARCO
    expected = set(zip(query.tolist(), positive.tolist(), strict=True))
    expected |= set(zip(query.tolist(), negative.tolist(), strict=True))
    keys = distinct_pairs(write_triples(tmp_path / "triples.parquet", query, positive, negative))
    found = np.column_stack(query_and_passage(keys)).tolist()
    assert sorted(map(tuple, found)) == sorted(expected)
    assert found == sorted(found, key=lambda pair: pair[::-1])  # by passage, then by query


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
    assert list(tmp_path.glob(".triples.parquet-*/scores.bin"))
    (tmp_path / "fresh").mkdir()
    assert score_triples(model)[0].equals(score_triples(model, tmp_path / "fresh")[0])


def test_a_job_killed_while_it_scores_candidates_keeps_the_scores_of_the_triples(
    score_triples, save_ranker, watched_encoder, tmp_path, monkeypatch
):
    """Those are days of work, and what a killed job has written is removed before it runs again."""
    from stillroom import pair_scores

    def die(*arguments, **facts):
        raise KeyboardInterrupt

    model = save_ranker(architecture="bert_cat")
    with monkeypatch.context() as patch:
        patch.setattr(pair_scores, "score_candidates", die)
        with watched_encoder() as first, pytest.raises(KeyboardInterrupt):
            score_triples(model)
    (tmp_path / "triples.parquet").unlink(missing_ok=True)
    with watched_encoder() as again:
        _, validation = score_triples(model)
    assert sum(first) > 0 and sum(again) == len(validation)


@pytest.fixture
def score_in_shards(collection, scoring_inputs, tmp_path):
    """A function that scores in three shards as the rules do, and returns the two tables."""
    from stillroom import pair_scores

    def score(model_folder, folder):
        shared = {
            "model_folder": model_folder,
            "triples_path": collection / "triples.parquet",
            **{name: scoring_inputs[name] for name in ("tokens_folder", "threads", "code")},
        }
        paths = [folder / f"{shard}.bin" for shard in (1, 2, 3)]
        for shard, path in enumerate(paths, 1):
            queries = collection / "queries.parquet"
            pair_scores.score_shard(shard=shard, shards=3, scores_path=path, queries_path=queries, **shared)
        assert sorted(folder.iterdir()) == paths
        pair_scores.join_pair_scores(
            scores_paths=paths,
            passages_path=scoring_inputs["passages_path"],
            validation_queries_path=collection / "validation_queries.parquet",
            validation_run_path=collection / "validation_run.trec",
            triples_scores_path=folder / "triples.parquet",
            validation_scores_path=folder / "validation.parquet",
            **shared,
        )
        return pq.read_table(folder / "triples.parquet"), pq.read_table(folder / "validation.parquet")

    return score


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_of_shards_are_those_of_one(architecture, score_triples, score_in_shards, save_ranker, tmp_path):
    model, folder = save_ranker(architecture=architecture), tmp_path / "shards"
    folder.mkdir()
    for found, expected in zip(score_in_shards(model, folder), score_triples(model), strict=True):
        assert found.drop(["score"]).equals(expected.drop(["score"]))
        assert found["score"].to_numpy() == pytest.approx(expected["score"].to_numpy(), rel=1e-5, abs=1e-5)


def test_a_shard_that_is_cut_off_stops(score_in_shards, save_ranker, tmp_path, monkeypatch):
    from stillroom import pair_scores

    folder, whole = tmp_path / "shards", pair_scores.join_pair_scores

    def join(scores_paths, **paths):
        scores_paths[1].write_bytes(scores_paths[1].read_bytes()[:-4])
        whole(scores_paths=scores_paths, **paths)

    folder.mkdir()
    monkeypatch.setattr(pair_scores, "join_pair_scores", join)
    with pytest.raises(ValueError, match=rf"^{folder}: expected (\d+) scores, found \d+; delete the folder and run"):
        score_in_shards(save_ranker(), folder)
