"""Rule score_shard: score one shard of the distinct pairs of the training triples."""

from pathlib import Path

from stillroom.inference import Inference
from stillroom.log import start_log
from stillroom.pair_scores import score_shard

start_log(snakemake.log[0])
score_shard(
    model_folder=Path(snakemake.input.model).parent,
    triples_path=snakemake.input.triples,
    queries_path=snakemake.input.queries,
    tokens_folder=Path(snakemake.input.tokens).parent,
    scores_path=snakemake.output.scores,
    shard=int(snakemake.wildcards.shard),
    shards=snakemake.params.shards,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
    code=snakemake.params.code,
)
