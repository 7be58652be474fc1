"""Rule cluster_queries: cluster the training queries."""

from stillroom.clusters import cluster_queries
from stillroom.log import start_log

start_log(snakemake.log[0])
cluster_queries(
    vectors_path=snakemake.input.vectors,
    queries_path=snakemake.input.queries,
    triples_path=snakemake.input.triples,
    clusters=snakemake.params.settings["clusters"],
    clusters_path=snakemake.output.clusters,
    threads=snakemake.threads,
)
