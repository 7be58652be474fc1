"""Re-ranked runs."""

import numpy as np
import pytest


@pytest.fixture
def rerank(collection, scoring_inputs, tmp_path):
    """A function that re-ranks candidates, the validation queries' unless told others, and reads the run."""
    from stillroom import reranking
    from stillroom.runs import read_run

    def rerank(model_folder, depth, run_path=tmp_path / "run.trec", candidates_path=collection / "validation_run.trec"):
        reranking.rerank(
            model_folder=model_folder,
            candidates_path=candidates_path,
            queries_path=collection / "validation_queries.parquet",
            depth=depth,
            run_path=run_path,
            tag="reranked",
            **scoring_inputs,
        )
        return read_run(run_path)

    return rerank


@pytest.mark.parametrize("depth", [4, 10, 1000])
def test_the_first_candidates_come_in_the_order_of_the_rankers_scores(
    depth, rerank, make_ranker, save_ranker, collection, texts, tmp_path, torch
):
    from stillroom.runs import read_run

    ranker, queries = make_ranker(architecture="bert_cat"), texts.validation_query_tokens
    run = rerank(save_ranker(architecture="bert_cat"), depth)
    for number, (query_id, candidates) in enumerate(read_run(collection / "validation_run.trec").groupby("query_id")):
        kept = candidates["passage_id"].tolist()[:depth]
        with torch.inference_mode():
            scores = [
                ranker.score([queries[number]], [texts.passage_tokens[texts.passage_ids.index(passage_id)]]).item()
                for passage_id in kept
            ]
        found = run[run["query_id"] == query_id]
        assert found["passage_id"].tolist() == [kept[place] for place in np.argsort(scores)[::-1]]
        assert found["score"].tolist() == pytest.approx(sorted(scores, reverse=True), rel=1e-4, abs=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "run.trec"}


def test_blocks_of_queries_make_no_difference(rerank, save_ranker, tmp_path, monkeypatch):
    from stillroom import runs

    together = rerank(save_ranker(), 7)
    monkeypatch.setattr(runs, "BLOCK_BYTES", 200)
    assert rerank(tmp_path / "model", 7, tmp_path / "blocks.trec").equals(together)


def test_an_unknown_candidate_stops_with_its_id(rerank, save_ranker, tmp_path):
    (tmp_path / "candidates.trec").write_text("q24 Q0 str.nothing 1 3.5 bm25\n")
    with pytest.raises(
        ValueError, match=r"candidates\.trec: 1 of 1 passage ids are unknown, the first is 'str\.nothing';"
    ):
        rerank(save_ranker(), 10, candidates_path=tmp_path / "candidates.trec")


def test_an_interrupted_re_ranking_is_not_gone_on_with_under_other_settings(rerank, save_ranker, tmp_path, monkeypatch):
    from stillroom import reranking

    short = save_ranker(encoder__passage_tokens=6)
    with monkeypatch.context() as patch:
        patch.setattr(reranking, "write_run", None)  # the job dies after scoring
        with pytest.raises(TypeError):
            rerank(short, 10)
    assert list(tmp_path.glob(".run.trec-*/scores.bin"))
    long = save_ranker()  # the same weights, in the same folder
    assert rerank(long, 10).equals(rerank(long, 10, tmp_path / "fresh.trec"))
