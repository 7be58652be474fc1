"""
Rankers: teachers and students are trained by the same rule; one without a loss and in_batch is used as it is.

Needs: triples.parquet, audit.csv and queries of its training set, its validation set, a token store; by its block in
the config also a teacher's scores, query clusters, an in-batch teacher, another ranker's validation candidates.
Makes, under results/<experiment>/rankers/<ranker>/seed-<n>/:

    model.safetensors, config.json, ranker.json, tokenizer files    the model folder
    training.jsonl                                                  the training curve, one JSON object per line
"""


rule train_ranker:
    """Train one ranker, teacher or student, as its block in the config says; resumes after an interruption."""
    input:
        unpack(training_inputs),
    output:
        weights=f"{RANKER}/model.safetensors",
        settings=f"{RANKER}/ranker.json",
        curve=f"{RANKER}/training.jsonl",
    log:
        f"{RESULTS}/logs/rankers/{{ranker}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rankers/{{ranker}}/seed-{{seed}}.tsv"
    wildcard_constraints:
        ranker=any_of(TRAINED),
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        gpu=1,
        mem_mb=gigabytes(5),
        runtime=training_time,
    params:
        settings=ranker_settings,
        code=code_of("train_ranker", ranker_parts),
    script:
        "../scripts/train_ranker.py"


rule export_ranker:
    """Write the model folder of a ranker that is used as it is."""
    output:
        weights=f"{RANKER}/model.safetensors",
        settings=f"{RANKER}/ranker.json",
    log:
        f"{RESULTS}/logs/rankers/{{ranker}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rankers/{{ranker}}/seed-{{seed}}.tsv"
    wildcard_constraints:
        ranker=any_of(UNTRAINED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(6),
        runtime=hours(1),
    params:
        settings=ranker_settings,
        code=code_of("export_ranker", ranker_parts),
    script:
        "../scripts/export_ranker.py"
