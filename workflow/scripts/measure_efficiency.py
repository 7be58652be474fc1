"""Rule measure_efficiency: what a ranker costs."""

from pathlib import Path

from stillroom.efficiency import measure_efficiency
from stillroom.log import start_log

start_log(snakemake.log[0])
measure_efficiency(
    model_folder=Path(snakemake.input.model).parent,
    candidates_path=snakemake.input.candidates,
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    tokens_folder=Path(snakemake.input.tokens).parent,
    output_path=snakemake.output.efficiency,
    threads=snakemake.threads,
    **snakemake.params.settings,
)
