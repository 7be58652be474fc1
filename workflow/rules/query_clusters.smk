"""
Clusters of training queries, for topic-aware sampling.

Needs: a trained ranker that represents queries as vectors, and the queries of its training set.
Makes: results/<experiment>/query_clusters/<clustering>.parquet (query_id, cluster; in the order of queries.parquet).
"""


def clustering_inputs(wildcards):
    """The queries to cluster, and their vectors by the clustering's ranker with the first seed."""
    clustering = CONFIG["clusterings"][wildcards.clustering]
    query_set = f"training_sets/{clustering['training_set']}"
    ranker = f"{clustering['ranker']}/seed-{TEACHER_SEED}"
    return {
        "queries": f"{RESULTS}/{query_set}/queries.parquet",
        "vectors": f"{RESULTS}/embeddings/{query_set}/{ranker}/queries.npy",
    }


def clustering_settings(wildcards):
    """The number of clusters."""
    return {"clusters": CONFIG["clusterings"][wildcards.clustering]["clusters"]}


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
    params:
        settings=clustering_settings,
        code=code_of("cluster_queries"),
    script:
        "../scripts/cluster_queries.py"
