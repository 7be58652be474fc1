"""
Passages, queries and judgements of any ir_datasets id; token ids.

Makes, under results/<experiment>/:

    downloads/<dataset>/<part>.json             the files that were fetched for docs, raw, queries or docpairs
    corpora/<corpus>/kept.parquet               what a sample of the corpus must not lack
    corpora/<corpus>/passages.parquet           passage_id, text, and title where a BM25 has fields; the row number is
                                                used everywhere below
    corpora/<corpus>/tokens/<encoder>/          untruncated token ids, memory-mapped
    test_sets/<test_set>/                       queries.parquet, qrels.txt, overlap.json
    training_sets/<training_set>/               queries.parquet, qrels.txt
    training_sets/<training_set>/validation/    queries.parquet, qrels.txt
"""


rule download_dataset:
    """Download what is missing of a dataset; resumes after an interruption."""
    output:
        report=f"{RESULTS}/downloads/{{dataset}}/{{part}}.json",
    log:
        f"{RESULTS}/logs/downloads/{{dataset}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/downloads/{{dataset}}/{{part}}.tsv"
    wildcard_constraints:
        dataset=any_of(DATASETS),
        part="docs|raw|queries|docpairs",
    retries: 2
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(8),
    params:
        code=code_of("download_dataset"),
    script:
        "../scripts/download_dataset.py"


rule choose_passages:
    """Find what a sample of a corpus must not lack: judged passages, and those of given triples."""
    input:
        unpack(choice_inputs),
    output:
        kept=f"{RESULTS}/corpora/{{corpus}}/kept.parquet",
    log:
        f"{RESULTS}/logs/corpora/{{corpus}}/kept.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpora/{{corpus}}/kept.tsv"
    wildcard_constraints:
        corpus=any_of(SAMPLED_CORPORA),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2, per_million=0.1),
        runtime=hours(1, per_million=0.2),
    params:
        settings=choice_settings,
        versions=corpus_versions,
        code=code_of("choose_passages", corpus_parts),
    script:
        "../scripts/choose_passages.py"


rule fetch_collection:
    """Write the passages of a corpus and verify their number by reading."""
    input:
        unpack(collection_inputs),
    output:
        passages=f"{RESULTS}/corpora/{{corpus}}/passages.parquet",
    log:
        f"{RESULTS}/logs/corpora/{{corpus}}/passages.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpora/{{corpus}}/passages.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2, per_million=0.1),
        runtime=hours(1, per_million=0.5),
    params:
        settings=corpus_settings,
        versions=corpus_versions,
        code=code_of("fetch_collection", corpus_parts),
    script:
        "../scripts/fetch_collection.py"


rule tokenize_passages:
    """Tokenise a corpus once per encoder."""
    input:
        passages=rules.fetch_collection.output.passages,
    output:
        ids=f"{RESULTS}/corpora/{{corpus}}/tokens/{{encoder}}/ids.bin",
        offsets=f"{RESULTS}/corpora/{{corpus}}/tokens/{{encoder}}/offsets.npy",
        facts=f"{RESULTS}/corpora/{{corpus}}/tokens/{{encoder}}/tokens.json",
    log:
        f"{RESULTS}/logs/corpora/{{corpus}}/tokens/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpora/{{corpus}}/tokens/{{encoder}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=gigabytes(2, per_million=0.2),
        runtime=hours(0.5, per_million=0.5),
    params:
        settings=encoder_settings,
        code=code_of("tokenize_passages"),
    script:
        "../scripts/tokenize_passages.py"


rule fetch_queries:
    """Write the queries and judgements of a test set, a training set or a validation set."""
    input:
        downloads=query_downloads,
        left_out=left_out_queries,
        passages=corpus_passages,
    output:
        queries=f"{RESULTS}/{{query_set}}/queries.parquet",
        qrels=f"{RESULTS}/{{query_set}}/qrels.txt",
    log:
        f"{RESULTS}/logs/{{query_set}}/queries.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{query_set}}/queries.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2, per_million=0.2),
        runtime=hours(0.5, per_million=0.1),
    params:
        settings=query_set_settings,
        versions=query_set_versions,
        code=code_of("fetch_queries", query_set_parts),
    script:
        "../scripts/fetch_queries.py"


rule check_overlap:
    """Stop when a test query is a training or validation query; count equal texts."""
    input:
        test_queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
        learning_queries=learning_queries,
    output:
        overlap=f"{RESULTS}/test_sets/{{test_set}}/overlap.json",
    log:
        f"{RESULTS}/logs/test_sets/{{test_set}}/overlap.log",
    benchmark:
        f"{RESULTS}/benchmarks/test_sets/{{test_set}}/overlap.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2, per_million=0.1),
        runtime=hours(0.5, per_million=0.1),
    params:
        code=code_of("check_overlap"),
    script:
        "../scripts/check_overlap.py"
