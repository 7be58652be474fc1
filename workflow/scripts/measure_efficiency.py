"""Rule measure_efficiency: what a ranker costs."""

from pathlib import Path

from stillroom.efficiency import measure_efficiency
from stillroom.log import start_log

start_log(snakemake.log[0])
measure_efficiency(
    model_folder=Path(snakemake.input.model).parent,
    queries_path=snakemake.input.queries,
    tokens_folder=Path(snakemake.input.tokens).parent,
    system=f"{snakemake.wildcards.ranker}/seed-{snakemake.wildcards.seed}/rerank",
    test_set=snakemake.wildcards.test_set,
    efficiency_path=snakemake.output.efficiency,
    **snakemake.params.settings,
)
