"""Re-ranked runs."""

import numpy as np
import pytest


@pytest.fixture
def rerank(collection, tmp_path, torch):
    """A function that re-ranks the validation candidates and reads the run."""
    from stillroom import reranking
    from stillroom.runs import read_run

    def rerank(model_folder, depth, run_path=tmp_path / "run.trec"):
        reranking.rerank(
            model_folder=model_folder,
            candidates_path=collection / "validation_run.trec",
            queries_path=collection / "validation_queries.parquet",
            passages_path=collection / "passages.parquet",
            tokens_folder=collection / "tokens",
            depth=depth,
            run_path=run_path,
            tag="reranked",
            threads=1,
            code="code",
        )
        return read_run(run_path)

    return rerank


@pytest.mark.parametrize("depth", [4, 10, 1000])
def test_the_first_candidates_come_in_the_order_of_the_rankers_scores(
    depth, rerank, make_ranker, collection, texts, tmp_path, torch
):
    from stillroom.runs import read_run
    from stillroom.tokenization import tokenize_queries

    ranker = make_ranker(architecture="bert_cat")
    ranker.save(tmp_path / "model")
    run = rerank(tmp_path / "model", depth)
    queries = tokenize_queries(ranker.tokenizer, collection / "validation_queries.parquet")
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


def test_an_unknown_candidate_stops_with_its_id(rerank, make_ranker, collection, tmp_path):
    from stillroom.reranking import rerank as rerank_files

    make_ranker().save(tmp_path / "model")
    (tmp_path / "candidates.trec").write_text("q24 Q0 str.nothing 1 3.5 bm25\n")
    with pytest.raises(
        ValueError, match=r"candidates\.trec: 1 of 1 passage ids are unknown, the first is 'str\.nothing';"
    ):
        rerank_files(
            model_folder=tmp_path / "model",
            candidates_path=tmp_path / "candidates.trec",
            queries_path=collection / "validation_queries.parquet",
            passages_path=collection / "passages.parquet",
            tokens_folder=collection / "tokens",
            depth=10,
            run_path=tmp_path / "run.trec",
            tag="t",
            threads=1,
            code="code",
        )


def test_an_interrupted_re_ranking_is_not_gone_on_with_under_other_settings(
    rerank, make_ranker, tmp_path, torch, monkeypatch
):
    from stillroom import reranking

    make_ranker(encoder__passage_tokens=6).save(tmp_path / "model")
    with monkeypatch.context() as patch:
        patch.setattr(reranking, "write_run", None)  # the job dies after scoring
        with pytest.raises(TypeError):
            rerank(tmp_path / "model", 10)
    assert list(tmp_path.glob(".run.trec-*/0.npy"))
    make_ranker().save(tmp_path / "model")  # the same weights
    assert rerank(tmp_path / "model", 10).equals(rerank(tmp_path / "model", 10, tmp_path / "fresh.trec"))
