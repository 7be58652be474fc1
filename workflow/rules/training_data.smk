"""
Training triples: a dataset's own, those of a score file, or sampled from what a BM25 or a ranker finds; audited before use.

Needs: training_sets/<training_set>/{queries.parquet,qrels.txt,candidates.trec}, corpora/<corpus>/passages.parquet,
a teacher's score file, a trained ranker's index.
Makes, under results/<experiment>/training_sets/<training_set>/:

    candidates.trec    where negatives are drawn from, if a ranker finds them
    triples.parquet    query, positive, negative: row numbers of queries.parquet and passages.parquet
    score_file.csv     of triples from a score file: its rows, and those with unknown ids, counted
    audit.csv          what is odd about the triples, counted
"""

SAMPLED = [name for name, training_set in CONFIG["training_sets"].items() if training_set["negatives"]]
EXTRACTED = [name for name, training_set in CONFIG["training_sets"].items() if training_set["triples_of"]]
FOUND_BY_RANKER = [name for name in CONFIG["training_sets"] if finder_of(CONFIG, name)]
GIVEN = [name for name in CONFIG["training_sets"] if name not in SAMPLED + EXTRACTED]


rule fetch_triples:
    """Take the triples that the dataset brings."""
    input:
        downloads=triple_downloads,
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        passages=corpus_passages,
    output:
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
    log:
        f"{RESULTS}/logs/training_sets/{{training_set}}/triples.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_sets/{{training_set}}/triples.tsv"
    wildcard_constraints:
        training_set=any_of(GIVEN),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1.5),
        runtime=hours(1, per_million=0.4),
    params:
        settings=training_set_settings,
        code=code_of("fetch_triples", training_set_parts),
    script:
        "../scripts/fetch_triples.py"


rule extract_triples:
    """Take the triples of a teacher's score file."""
    input:
        score_file=extracted_score_file,
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        passages=corpus_passages,
    output:
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        report=f"{RESULTS}/training_sets/{{training_set}}/score_file.csv",
    log:
        f"{RESULTS}/logs/training_sets/{{training_set}}/triples.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_sets/{{training_set}}/triples.tsv"
    wildcard_constraints:
        training_set=any_of(EXTRACTED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1.5),
        runtime=hours(1, per_million=0.4),
    params:
        settings=extraction_settings,
        code=code_of("extract_triples"),
    script:
        "../scripts/extract_triples.py"


rule retrieve_negatives:
    """Search a trained ranker's index for what negatives of a training set are drawn from."""
    input:
        unpack(finder_inputs),
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
    output:
        run=f"{RESULTS}/training_sets/{{training_set}}/candidates.trec",
    log:
        f"{RESULTS}/logs/training_sets/{{training_set}}/candidates.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_sets/{{training_set}}/candidates.tsv"
    wildcard_constraints:
        training_set=any_of(FOUND_BY_RANKER),
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes_with_index(1, exact=2),
        runtime=hours(1, per_million=2),
    params:
        settings=finder_settings,
        code=code_of("retrieve_negatives"),
    script:
        "../scripts/retrieve_negatives.py"


ruleorder: retrieve_negatives > search_candidates


rule sample_triples:
    """Pair every training query's relevant passages with negatives from its candidates."""
    input:
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        qrels=f"{RESULTS}/training_sets/{{training_set}}/qrels.txt",
        candidates=f"{RESULTS}/training_sets/{{training_set}}/candidates.trec",
        passages=corpus_passages,
    output:
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
    log:
        f"{RESULTS}/logs/training_sets/{{training_set}}/triples.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_sets/{{training_set}}/triples.tsv"
    wildcard_constraints:
        training_set=any_of(SAMPLED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(1, per_million=0.3),
    params:
        settings=training_set_settings,
        code=code_of("sample_triples"),
    script:
        "../scripts/sample_triples.py"


rule audit_triples:
    """Count duplicates, positives that are negatives, empty and truncated texts; stop at what cannot be used."""
    input:
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        qrels=f"{RESULTS}/training_sets/{{training_set}}/qrels.txt",
        passages=corpus_passages,
    output:
        audit=f"{RESULTS}/training_sets/{{training_set}}/audit.csv",
    log:
        f"{RESULTS}/logs/training_sets/{{training_set}}/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_sets/{{training_set}}/audit.tsv"
    priority: 1  # before rankers are trained on them
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1.5),
        runtime=hours(0.5, per_million=0.3),
    params:
        code=code_of("audit_triples"),
    script:
        "../scripts/audit_triples.py"
