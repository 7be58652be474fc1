"""Rule encode_queries: represent queries as vectors."""

from pathlib import Path

from stillroom.encoding import encode_queries
from stillroom.inference import Inference
from stillroom.log import start_log

start_log(snakemake.log[0])
encode_queries(
    model_folder=Path(snakemake.input.model).parent,
    queries_path=snakemake.input.queries,
    vectors_path=snakemake.output.vectors,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
)
