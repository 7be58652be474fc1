"""
Retrieval and re-ranking with trained rankers.

Needs: model folders, token stores, queries, BM25 runs, candidates from files.
Makes, under results/<experiment>/:

    embeddings/<query_set>/<ranker>/seed-<n>/queries.npy      vectors, in the order of queries.parquet
    embeddings/<corpus>/<ranker>/seed-<n>/passages.faiss      vectors, in the order of passages.parquet
    indexes/<corpus>/<ranker>/seed-<n>/<index>/               `index` and `docid`, as Pyserini reads them; an exact
                                                              `index` is passages.faiss by a second name
    runs/<test_set>/<ranker>/seed-<n>/<index>.trec            retrieved
    training_sets/<training_set>/validation/<ranker>/seed-<n>/<index>.trec    the same, and all relevant passages
    runs/<test_set>/<ranker>/seed-<n>/<reranking>.trec        candidates in a new order: `rerank`, or another name
    runs/<test_set>/<teacher>/<reranking>.trec                the same by the mean of several rankers' scores
"""

VALIDATION = "training_sets/{training_set}/validation"
IN_SHARDS = [name for name, corpus in CONFIG["corpora"].items() if corpus["shards"] > 1]
IN_ONE = [name for name in CONFIG["corpora"] if name not in IN_SHARDS]


rule encode_passages:
    """Represent every passage of a corpus as a vector; resumes after an interruption."""
    input:
        model=f"{RANKER}/model.safetensors",
        tokens=encoder_tokens,
    output:
        vectors=f"{RESULTS}/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/passages.faiss",
    log:
        f"{RESULTS}/logs/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/passages.log",
    benchmark:
        f"{RESULTS}/benchmarks/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/passages.tsv"
    wildcard_constraints:
        corpus=any_of(IN_ONE),
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(8, per_million=0.5),
        runtime=hours(1, per_million=1),
    params:
        inference=INFERENCE,
        code=code_of("encode_passages", ranker_parts),
    script:
        "../scripts/encode_passages.py"


rule encode_shard:
    """Represent one shard of a corpus, in a file that all of its shards share; resumes after an interruption."""
    input:
        model=f"{RANKER}/model.safetensors",
        tokens=encoder_tokens,
    output:
        stamp=temp(f"{RESULTS}/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/shards/{{shard}}.json"),
    log:
        f"{RESULTS}/logs/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/shards/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/shards/{{shard}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(8, per_million=0.1),
        runtime=hours(1, per_million=1, shards=shards_of_corpus),
    params:
        vectors=str(rules.encode_passages.output.vectors),
        shards=shards_of_corpus,
        inference=INFERENCE,
        code=code_of("encode_shard", ranker_parts),
    script:
        "../scripts/encode_shard.py"


rule join_vectors:
    """Give the file that the shards of a corpus have written its name; nothing is copied."""
    input:
        model=f"{RANKER}/model.safetensors",  # what is newer is read anew by the shards, which are not kept
        tokens=encoder_tokens,
        stamps=vector_stamps,
    output:
        vectors=rules.encode_passages.output.vectors,
    log:
        f"{RESULTS}/logs/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/passages.log",
    benchmark:
        f"{RESULTS}/benchmarks/embeddings/{{corpus}}/{{ranker}}/seed-{{seed}}/passages.tsv"
    wildcard_constraints:
        corpus=any_of(IN_SHARDS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(1),
    params:
        inference=INFERENCE,
        code=code_of("join_vectors", ranker_parts),
    script:
        "../scripts/join_vectors.py"


rule encode_queries:
    """Represent the queries of a test set or a training set as vectors."""
    input:
        model=f"{RANKER}/model.safetensors",
        queries=f"{RESULTS}/{{query_set}}/queries.parquet",
    output:
        vectors=f"{RESULTS}/embeddings/{{query_set}}/{{ranker}}/seed-{{seed}}/queries.npy",
    log:
        f"{RESULTS}/logs/embeddings/{{query_set}}/{{ranker}}/seed-{{seed}}/queries.log",
    benchmark:
        f"{RESULTS}/benchmarks/embeddings/{{query_set}}/{{ranker}}/seed-{{seed}}/queries.tsv"
    conda:
        ENVIRONMENT
    threads: 1  # mostly imports: two small jobs side by side are faster
    resources:
        gpu=1,
        mem_mb=gigabytes(6, per_million=0.2),
        runtime=hours(1, per_million=0.1),
    params:
        inference=INFERENCE,
        code=code_of("encode_queries", ranker_parts),
    script:
        "../scripts/encode_queries.py"


rule build_index:
    """Index the passages' vectors with faiss: exact (Flat) or approximate."""
    input:
        vectors=rules.encode_passages.output.vectors,
        passages=f"{RESULTS}/corpora/{{corpus}}/passages.parquet",
    output:
        # A folder, because Snakemake gives every file that a rule makes a new time, which would be that of the vectors,
        # too, where both are one file: all else that is made of them would be made again.
        index=directory(f"{RESULTS}/indexes/{{corpus}}/{{ranker}}/seed-{{seed}}/{{index}}"),
    log:
        f"{RESULTS}/logs/indexes/{{corpus}}/{{ranker}}/seed-{{seed}}/{{index}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/indexes/{{corpus}}/{{ranker}}/seed-{{seed}}/{{index}}.tsv"
    wildcard_constraints:
        index=any_of(BUILT),
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=gigabytes_with_index(5, exact=0.5),
        runtime=hours(1, per_million=1.5),
    params:
        settings=index_settings,
        code=code_of("build_index"),
    script:
        "../scripts/build_index.py"


rule retrieve:
    """Search an index with the queries' vectors."""
    input:
        index=searched_index,
        vectors=f"{RESULTS}/embeddings/test_sets/{{test_set}}/{{ranker}}/seed-{{seed}}/queries.npy",
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
    output:
        run=f"{RESULTS}/runs/{{test_set}}/{{ranker}}/seed-{{seed}}/{{index}}.trec",
    log:
        f"{RESULTS}/logs/runs/{{test_set}}/{{ranker}}/seed-{{seed}}/{{index}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/runs/{{test_set}}/{{ranker}}/seed-{{seed}}/{{index}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes_with_index(1, exact=2),
        runtime=hours(1, per_million=0.5),
    params:
        settings=retrieval_settings,
        code=code_of("retrieve"),
    script:
        "../scripts/retrieve.py"


rule retrieve_validation_candidates:
    """Search an index for what early stopping re-ranks, and add the relevant passages that it has missed."""
    input:
        index=searched_index,
        vectors=f"{RESULTS}/embeddings/{VALIDATION}/{{ranker}}/seed-{{seed}}/queries.npy",
        queries=f"{RESULTS}/{VALIDATION}/queries.parquet",
        qrels=f"{RESULTS}/{VALIDATION}/qrels.txt",
    output:
        run=f"{RESULTS}/{VALIDATION}/{{ranker}}/seed-{{seed}}/{{index}}.trec",
    log:
        f"{RESULTS}/logs/{VALIDATION}/{{ranker}}/seed-{{seed}}/{{index}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{VALIDATION}/{{ranker}}/seed-{{seed}}/{{index}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes_with_index(1, exact=2),
        runtime=hours(1, per_million=0.5),
    params:
        settings=validation_retrieval,
        code=code_of("retrieve_validation_candidates"),
    script:
        "../scripts/retrieve_validation_candidates.py"


rule rerank:
    """Score the first passages of a first-stage run and put them in a new order."""
    input:
        model=f"{RANKER}/model.safetensors",
        candidates=candidates_run,
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
        passages=corpus_passages,
        tokens=encoder_tokens,
    output:
        run=f"{RESULTS}/runs/{{test_set}}/{{ranker}}/seed-{{seed}}/{{reranking}}.trec",
    log:
        f"{RESULTS}/logs/runs/{{test_set}}/{{ranker}}/seed-{{seed}}/{{reranking}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/runs/{{test_set}}/{{ranker}}/seed-{{seed}}/{{reranking}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(4),
        runtime=hours(2, per_million=2),
    params:
        settings=reranking_settings,
        inference=INFERENCE,
        code=code_of("rerank", ranker_parts),
    script:
        "../scripts/rerank.py"


rule average_runs:
    """Re-rank with an ensemble: the mean of its rankers' scores."""
    input:
        runs=members_runs,
    output:
        run=f"{RESULTS}/runs/{{test_set}}/{{teacher}}/{{reranking}}.trec",
    log:
        f"{RESULTS}/logs/runs/{{test_set}}/{{teacher}}/{{reranking}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/runs/{{test_set}}/{{teacher}}/{{reranking}}.tsv"
    wildcard_constraints:
        teacher=any_of(AVERAGED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5, per_million=0.2),
    params:
        code=code_of("average_runs"),
    script:
        "../scripts/average_runs.py"
