"""Rule encode_shard: represent one shard of a corpus as vectors."""

from pathlib import Path

from stillroom.encoding import encode_shard
from stillroom.inference import Inference
from stillroom.log import start_log

start_log(snakemake.log[0])
encode_shard(
    model_folder=Path(snakemake.input.model).parent,
    tokens_folder=Path(snakemake.input.tokens).parent,
    vectors_path=snakemake.params.vectors,
    shard=int(snakemake.wildcards.shard),
    shards=snakemake.params.shards,
    stamp_path=snakemake.output.stamp,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
    code=snakemake.params.code,
)
