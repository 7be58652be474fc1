"""Rule choose_passages: find what a sample of a corpus must not lack."""

from stillroom.collections.kept_passages import choose_passages
from stillroom.log import start_log

start_log(snakemake.log[0])
choose_passages(
    judged=snakemake.params.settings["judged"],
    drawn=snakemake.params.settings["drawn"],
    pairs=snakemake.params.settings["pairs"],
    score_files=snakemake.input.score_files,
    triples=snakemake.params.settings["triples"],
    kept_path=snakemake.output.kept,
)
