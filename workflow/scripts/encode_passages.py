"""Rule encode_passages: represent every passage of a corpus as a vector."""

from pathlib import Path

from stillroom.encoding import encode_passages
from stillroom.inference import Inference
from stillroom.log import start_log

start_log(snakemake.log[0])
encode_passages(
    model_folder=Path(snakemake.input.model).parent,
    tokens_folder=Path(snakemake.input.tokens).parent,
    vectors_path=snakemake.output.vectors,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
    code=snakemake.params.code,
)
