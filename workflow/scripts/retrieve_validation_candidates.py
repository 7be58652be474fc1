"""Rule retrieve_validation_candidates: search an index for validation candidates."""

from stillroom.log import start_log
from stillroom.validation_candidates import retrieve_validation_candidates

start_log(snakemake.log[0])
retrieve_validation_candidates(
    index_folder=snakemake.input.index,
    vectors_path=snakemake.input.vectors,
    queries_path=snakemake.input.queries,
    qrels_path=snakemake.input.qrels,
    run_path=snakemake.output.run,
    **snakemake.params.settings,
    tag=snakemake.wildcards.ranker,
    threads=snakemake.threads,
)
