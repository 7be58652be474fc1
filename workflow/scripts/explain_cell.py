"""Rule explain_cell: say where the difference of a number to a published one comes from."""

from stillroom.ladders import explain_cell
from stillroom.log import start_log

start_log(snakemake.log[0])
explain_cell(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.input.metrics,
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
)
