"""Rule search_bm25: run a test set's queries."""

from stillroom.bm25 import search
from stillroom.log import start_log

start_log(snakemake.log[0])
search(
    index_folder=snakemake.input.index,
    queries_path=snakemake.input.queries,
    run_path=snakemake.output.run,
    **snakemake.params.settings,
    tag=snakemake.wildcards.bm25,
    threads=snakemake.threads,
)
