"""Rule measure_search: how long it takes to search an index."""

from stillroom.index_costs import measure_search
from stillroom.log import start_log

start_log(snakemake.log[0])
measure_search(
    index_folder=snakemake.input.index,
    vectors_path=snakemake.input.vectors,
    **snakemake.params.settings,
    system=f"{snakemake.wildcards.ranker}/seed-{snakemake.wildcards.seed}/{snakemake.wildcards.index}",
    test_set=snakemake.wildcards.test_set,
    efficiency_path=snakemake.output.efficiency,
)
