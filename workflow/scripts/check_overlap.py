"""Rule check_overlap: compare test queries with all queries that rankers learn from."""

from stillroom.audit import check_overlap
from stillroom.log import start_log

start_log(snakemake.log[0])
check_overlap(
    test_queries_path=snakemake.input.test_queries,
    learning_queries_paths=snakemake.input.learning_queries,
    overlap_path=snakemake.output.overlap,
)
