"""Rule fetch_queries: write queries and judgements."""

from stillroom.collections.datasets import fetch_queries
from stillroom.log import start_log

start_log(snakemake.log[0])
fetch_queries(
    dataset_id=snakemake.params.settings["dataset"],
    corpus_dataset_id=snakemake.params.settings["corpus_dataset"],
    without=snakemake.params.settings["without"],
    left_out_paths=snakemake.input.left_out,
    queries=snakemake.params.settings["queries"],
    expected=snakemake.params.settings["expected"],
    passages_path=snakemake.input.passages,
    queries_path=snakemake.output.queries,
    qrels_path=snakemake.output.qrels,
)
