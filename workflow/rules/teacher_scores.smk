"""
Teacher scores of the training triples.

Needs: a trained ranker, triples.parquet, queries and passages (tokens) of a training set and its validation set.
Makes, under results/<experiment>/:

    pair_scores/<ranker>/<training_set>/triples.parquet       a score for every distinct (query, passage) pair
    pair_scores/<ranker>/<training_set>/validation.parquet    a score for every validation candidate
    teacher_scores/<teacher>/<training_set>.parquet           pos_score, neg_score, query_id, pos_id, neg_id
    teacher_scores/<teacher>/<training_set>.tsv               the same columns as the published score files
    teacher_scores/<teacher>/<training_set>.json              the teacher's validation measures beside BM25's
"""

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
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
    params:
        code=code_of("score_triples", ranker_parts),
    script:
        "../scripts/score_triples.py"


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
    conda:
        ENVIRONMENT
    params:
        teacher=teacher_settings,
        code=code_of("average_scores"),
    script:
        "../scripts/average_scores.py"
