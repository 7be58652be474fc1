"""Rule train_ranker: train one ranker and save its weights."""

from pathlib import Path

from stillroom.log import start_log
from stillroom.settings import ranker_settings
from stillroom.training import train_ranker

start_log(snakemake.log[0])
train_ranker(
    settings=ranker_settings(snakemake.params.settings),
    seed=int(snakemake.wildcards.seed),
    code=snakemake.params.code,
    threads=snakemake.threads,
    inputs=dict(snakemake.input.items()),
    model_folder=Path(snakemake.output.weights).parent,
    processes=max(1, snakemake.resources.gpu),
)
