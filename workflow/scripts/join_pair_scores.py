"""Rule join_pair_scores: the scores of all shards of the training triples, and those of the validation candidates."""

from pathlib import Path

from stillroom.inference import Inference
from stillroom.log import start_log
from stillroom.pair_scores import join_pair_scores

start_log(snakemake.log[0])
join_pair_scores(
    model_folder=Path(snakemake.input.model).parent,
    triples_path=snakemake.input.triples,
    scores_paths=snakemake.input.scores,
    tokens_folder=Path(snakemake.input.tokens).parent,
    validation_queries_path=snakemake.input.validation_queries,
    validation_run_path=snakemake.input.validation_run,
    passages_path=snakemake.input.passages,
    triples_scores_path=snakemake.output.triples_scores,
    validation_scores_path=snakemake.output.validation_scores,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
    code=snakemake.params.code,
)
