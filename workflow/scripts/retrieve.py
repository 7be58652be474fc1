"""Rule retrieve: search an index with the queries' vectors."""

from stillroom.indexes import retrieve
from stillroom.log import start_log

start_log(snakemake.log[0])
retrieve(
    index_folder=snakemake.input.index,
    vectors_path=snakemake.input.vectors,
    queries_path=snakemake.input.queries,
    run_path=snakemake.output.run,
    **snakemake.params.settings,
    tag=snakemake.wildcards.ranker,
    threads=snakemake.threads,
)
