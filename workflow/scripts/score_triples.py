"""Rule score_triples: score every distinct pair of the training triples, and the validation candidates."""

from pathlib import Path

from stillroom.inference import Inference
from stillroom.log import start_log
from stillroom.pair_scores import score_triples

start_log(snakemake.log[0])
score_triples(
    model_folder=Path(snakemake.input.model).parent,
    triples_path=snakemake.input.triples,
    queries_path=snakemake.input.queries,
    validation_queries_path=snakemake.input.validation_queries,
    validation_run_path=snakemake.input.validation_run,
    passages_path=snakemake.input.passages,
    tokens_folder=Path(snakemake.input.tokens).parent,
    triples_scores_path=snakemake.output.triples_scores,
    validation_scores_path=snakemake.output.validation_scores,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
    code=snakemake.params.code,
)
