"""Re-ranking: the first passages of a first-stage run in the order of a ranker."""

from pathlib import Path

from stillroom.candidates import iter_candidates, run_rows, with_scores
from stillroom.files import parts_folder, remove_parts
from stillroom.gpu_memory import memory_checked
from stillroom.inference import DEFAULT, Inference, ranker_at_work
from stillroom.ranker import model_files
from stillroom.runs import write_run
from stillroom.scoring import score_pairs_resumably
from stillroom.token_store import open_tokens
from stillroom.tokenization import tokenize_queries


@memory_checked()
def rerank(
    *,
    model_folder: str | Path,
    candidates_path: str | Path,
    queries_path: str | Path,
    passages_path: str | Path,
    tokens_folder: str | Path,
    depth: int,
    run_path: str | Path,
    tag: str,
    threads: int,
    code: str,
    inference: Inference = DEFAULT,
) -> None:
    """Write a TREC run of each query's first `depth` candidates, scored by the ranker.

    An interrupted re-ranking is resumed by the same `code` (a digest) from the same inputs. Passages below `depth` are
    left out: a re-ranked run is as long as what was re-ranked.
    """
    model = ranker_at_work(model_folder, threads=threads, inference=inference)
    query_rows, passage_rows = run_rows(
        run_path=candidates_path, queries_path=queries_path, passages_path=passages_path, depth=depth
    )
    queries = tokenize_queries(model.tokenizer, queries_path)
    inputs = [*model_files(model_folder), Path(tokens_folder) / "ids.bin", queries_path, candidates_path]
    parts = parts_folder(run_path, inputs, depth=depth, code=code, **inference.facts)
    passages = open_tokens(tokens_folder)
    scores = score_pairs_resumably(model, queries, passages, query_rows, passage_rows, parts=parts)
    write_run(run_path, with_scores(iter_candidates(candidates_path, depth), scores), tag)
    remove_parts(run_path)
