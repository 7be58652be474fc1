"""
BM25 by Pyserini: first-stage runs and candidates.

Needs: corpora/<corpus>/passages.parquet, queries.parquet.
Makes, under results/<experiment>/:

    corpora/<corpus>/bm25_index/                              a Lucene index of titles and texts joined
    corpora/<corpus>/bm25_index_fields/                       one of titles and texts as two fields, if a BM25 wants it
    runs/<test_set>/<bm25>.trec                               the systems under `bm25` in the config
    training_sets/<training_set>/candidates.trec              where negatives are drawn from, if a BM25 finds them
    training_sets/<training_set>/validation/candidates.trec   what early stopping re-ranks
"""


rule index_bm25:
    """Index a corpus with Lucene."""
    input:
        passages=rules.fetch_collection.output.passages,
    output:
        index=directory(f"{RESULTS}/corpora/{{corpus}}/bm25_index{{fields}}"),
    log:
        f"{RESULTS}/logs/corpora/{{corpus}}/bm25_index{{fields}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpora/{{corpus}}/bm25_index{{fields}}.tsv"
    wildcard_constraints:
        fields="|_fields",
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=gigabytes(4, per_million=0.4),
        runtime=hours(0.5, per_million=0.3),
    params:
        fields=has_fields,
        code=code_of("index_bm25"),
    script:
        "../scripts/index_bm25.py"


rule search_bm25:
    """Run a test set's queries."""
    input:
        index=test_set_index,
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
    output:
        run=f"{RESULTS}/runs/{{test_set}}/{{bm25}}.trec",
    log:
        f"{RESULTS}/logs/runs/{{test_set}}/{{bm25}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/runs/{{test_set}}/{{bm25}}.tsv"
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=gigabytes(4, per_million=0.4),
        runtime=hours(1, per_million=0.5),
    params:
        settings=test_set_search,
        code=code_of("search_bm25"),
    script:
        "../scripts/search_bm25.py"


rule search_candidates:
    """Find candidates for the queries of a training set, or of its validation set."""
    input:
        index=candidate_index,
        queries=f"{RESULTS}/training_sets/{{training_set}}{{part}}/queries.parquet",
    output:
        run=f"{RESULTS}/training_sets/{{training_set}}{{part}}/candidates.trec",
    log:
        f"{RESULTS}/logs/training_sets/{{training_set}}{{part}}/candidates.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_sets/{{training_set}}{{part}}/candidates.tsv"
    wildcard_constraints:
        part="|/validation",
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=gigabytes(4, per_million=0.5),
        runtime=hours(1, per_million=1),
    params:
        settings=candidate_search,
        code=code_of("search_candidates"),
    script:
        "../scripts/search_candidates.py"
