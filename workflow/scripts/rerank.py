"""Rule rerank: put the first passages of a first-stage run in a new order."""

from pathlib import Path

from stillroom.inference import Inference
from stillroom.log import start_log
from stillroom.reranking import rerank

start_log(snakemake.log[0])
rerank(
    model_folder=Path(snakemake.input.model).parent,
    candidates_path=snakemake.input.candidates,
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    tokens_folder=Path(snakemake.input.tokens).parent,
    depth=snakemake.params.settings["depth"],
    run_path=snakemake.output.run,
    tag=snakemake.wildcards.ranker,
    threads=snakemake.threads,
    inference=Inference(**snakemake.params.inference, gpu_tokens=snakemake.resources.get("gpu_tokens")),
    code=snakemake.params.code,
)
