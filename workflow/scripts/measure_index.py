"""Rule measure_index: how long it takes to build an index."""

from stillroom.index_costs import measure_index
from stillroom.log import start_log

start_log(snakemake.log[0])
measure_index(
    vectors_path=snakemake.input.vectors,
    **snakemake.params.settings,
    index=snakemake.wildcards.index,
    efficiency_path=snakemake.output.efficiency,
)
