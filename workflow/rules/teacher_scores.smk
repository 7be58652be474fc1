"""
Teacher scores of the training triples: those of rankers, averaged, or those of a score file.

Needs: triples.parquet, queries and passages of a training set; a trained ranker, tokens and a validation set, or a
score file.
Makes, under results/<experiment>/:

    score_files/<teacher>.tsv, .tsv.gz                        a downloaded score file
    pair_scores/<ranker>/<training_set>/triples.parquet       a score for every distinct (query, passage) pair
    pair_scores/<ranker>/<training_set>/validation.parquet    a score for every validation candidate
    teacher_scores/<teacher>/<training_set>.parquet           pos_score, neg_score, query_id, pos_id, neg_id
    teacher_scores/<teacher>/<training_set>.tsv               the same columns as the published score files
    teacher_scores/<teacher>/<training_set>.json              the rankers' validation measures beside BM25's
    teacher_scores/<teacher>/<training_set>.csv               of a score file: rows and triples that did not match
"""

PUBLISHED = [name for name in CONFIG["teachers"] if name not in AVERAGED]
DOWNLOADED = [name for name in PUBLISHED if is_url(CONFIG["teachers"][name]["scores"])]

PAIRS_IN_SHARDS = [name for name, training_set in CONFIG["training_sets"].items() if training_set["shards"] > 1]
PAIRS_IN_ONE = [name for name in CONFIG["training_sets"] if name not in PAIRS_IN_SHARDS]

PAIR_SCORES = f"{RESULTS}/pair_scores/{{ranker}}/{{training_set}}"
TEACHER_SCORES = f"{RESULTS}/teacher_scores/{{teacher}}/{{training_set}}"


rule score_triples:
    """Score every distinct (query, passage) pair of the triples once, and the validation candidates."""
    input:
        model=teacher_model,
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        validation_queries=f"{RESULTS}/training_sets/{{training_set}}/validation/queries.parquet",
        validation_run=f"{RESULTS}/training_sets/{{training_set}}/validation/candidates.trec",
        passages=corpus_passages,
        tokens=encoder_tokens,
    output:
        triples_scores=f"{PAIR_SCORES}/triples.parquet",
        validation_scores=f"{PAIR_SCORES}/validation.parquet",
    log:
        f"{RESULTS}/logs/pair_scores/{{ranker}}/{{training_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pair_scores/{{ranker}}/{{training_set}}.tsv"
    wildcard_constraints:
        training_set=any_of(PAIRS_IN_ONE),
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(6, per_million=1),
        runtime=hours(2, per_million=4),
    params:
        inference=INFERENCE,
        code=code_of("score_triples", ranker_parts),
    script:
        "../scripts/score_triples.py"


rule score_shard:
    """Score one shard of the distinct pairs of the triples; resumes after an interruption."""
    input:
        model=teacher_model,
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        tokens=encoder_tokens,
    output:
        scores=temp(f"{PAIR_SCORES}/shards/{{shard}}.bin"),
    log:
        f"{RESULTS}/logs/pair_scores/{{ranker}}/{{training_set}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pair_scores/{{ranker}}/{{training_set}}/{{shard}}.tsv"
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(6, per_million=1),
        runtime=hours(2, per_million=4, shards=shards_of_triples),
    params:
        shards=shards_of_triples,
        inference=INFERENCE,
        code=code_of("score_shard", ranker_parts),
    script:
        "../scripts/score_shard.py"


rule join_pair_scores:
    """Put the scores of all shards into one table, and score the validation candidates."""
    input:
        model=teacher_model,
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        scores=pair_score_shards,
        validation_queries=f"{RESULTS}/training_sets/{{training_set}}/validation/queries.parquet",
        validation_run=f"{RESULTS}/training_sets/{{training_set}}/validation/candidates.trec",
        passages=corpus_passages,
        tokens=encoder_tokens,
    output:
        triples_scores=rules.score_triples.output.triples_scores,
        validation_scores=rules.score_triples.output.validation_scores,
    log:
        f"{RESULTS}/logs/pair_scores/{{ranker}}/{{training_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pair_scores/{{ranker}}/{{training_set}}.tsv"
    wildcard_constraints:
        training_set=any_of(PAIRS_IN_SHARDS),
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(4, per_million=0.5),
        runtime=hours(1),
    params:
        inference=INFERENCE,
        code=code_of("join_pair_scores", ranker_parts),
    script:
        "../scripts/join_pair_scores.py"


rule average_scores:
    """Average the raw scores of one or more rankers, and measure the average as a ranker of its own."""
    input:
        unpack(averaged_scores),
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        passages=corpus_passages,
        validation_run=f"{RESULTS}/training_sets/{{training_set}}/validation/candidates.trec",
        validation_qrels=f"{RESULTS}/training_sets/{{training_set}}/validation/qrels.txt",
    output:
        scores=f"{TEACHER_SCORES}.parquet",
        tsv=f"{TEACHER_SCORES}.tsv",
        measures=f"{TEACHER_SCORES}.json",
    log:
        f"{RESULTS}/logs/teacher_scores/{{teacher}}/{{training_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/teacher_scores/{{teacher}}/{{training_set}}.tsv"
    wildcard_constraints:
        teacher=any_of(AVERAGED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1.5),
        runtime=hours(0.5, per_million=0.3),
    params:
        teacher=teacher_settings,
        code=code_of("average_scores"),
    script:
        "../scripts/average_scores.py"


rule fetch_scores:
    """Download a teacher's score file; resumes after an interruption."""
    output:
        score_file=f"{RESULTS}/score_files/{{teacher}}.{{suffix}}",
    log:
        f"{RESULTS}/logs/score_files/{{teacher}}.{{suffix}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_files/{{teacher}}.{{suffix}}.tsv"
    wildcard_constraints:
        teacher=any_of(DOWNLOADED),
        suffix=r"tsv(\.gz)?",
    retries: 2
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(4),
    params:
        settings=download_settings,
        code=code_of("fetch_scores"),
    script:
        "../scripts/fetch_scores.py"


rule join_scores:
    """Look the scores of the training triples up in a teacher's score file."""
    input:
        score_file=joined_score_file,
        triples=f"{RESULTS}/training_sets/{{training_set}}/triples.parquet",
        queries=f"{RESULTS}/training_sets/{{training_set}}/queries.parquet",
        passages=corpus_passages,
    output:
        scores=f"{TEACHER_SCORES}.parquet",
        tsv=f"{TEACHER_SCORES}.tsv",
        report=f"{TEACHER_SCORES}.csv",
    log:
        f"{RESULTS}/logs/teacher_scores/{{teacher}}/{{training_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/teacher_scores/{{teacher}}/{{training_set}}.tsv"
    wildcard_constraints:
        teacher=any_of(PUBLISHED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1.5),
        runtime=hours(0.5, per_million=0.3),
    params:
        settings=join_settings,
        code=code_of("join_scores"),
    script:
        "../scripts/join_scores.py"
