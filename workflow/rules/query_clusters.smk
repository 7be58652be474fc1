"""
Clusters of training queries, for topic-aware sampling.

Needs: a trained ranker that represents queries as vectors, and the queries and triples of its training set.
Makes: results/<experiment>/query_clusters/<clustering>.parquet (query_id, cluster; in the order of queries.parquet,
null where a query has no triple).
"""


rule cluster_queries:
    """Cluster the training queries by spherical k-means."""
    input:
        unpack(clustering_inputs),
    output:
        clusters=f"{RESULTS}/query_clusters/{{clustering}}.parquet",
    log:
        f"{RESULTS}/logs/query_clusters/{{clustering}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/query_clusters/{{clustering}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=gigabytes(2.5),
        runtime=hours(1, per_million=0.2),
    params:
        settings=clustering_settings,
        code=code_of("cluster_queries"),
    script:
        "../scripts/cluster_queries.py"
