"""
Rankers: teachers and students are trained by the same rule; a ranker without a loss is used as it is.

Needs: triples.parquet, audit.csv and queries of its training set, its validation set, a token store; by its block in
the config also a teacher's scores, query clusters, an in-batch teacher.
Makes, under results/<experiment>/rankers/<ranker>/seed-<n>/:

    model.safetensors, config.json, ranker.json, tokenizer files    the model folder
    training.jsonl                                                  the training curve, one JSON object per line
"""


def training_inputs(wildcards):
    """The files that a ranker learns from, as its block in the config names them."""
    ranker = CONFIG["rankers"][wildcards.ranker]
    folder = f"{RESULTS}/training_sets/{ranker['training_set']}"
    training_set = CONFIG["training_sets"][ranker["training_set"]]
    inputs = {
        "queries": f"{folder}/queries.parquet",
        "triples": f"{folder}/triples.parquet",
        "audit": ancient(f"{folder}/audit.csv"),  # it must be there; it does not change what is learnt
        "tokens": tokens_of(training_set["corpus"], ranker["encoder"]),
    }
    if ranker["teacher"]:
        inputs["teacher_scores"] = f"{RESULTS}/teacher_scores/{ranker['teacher']}/{ranker['training_set']}.parquet"
    if ranker["clustering"]:
        inputs["clusters"] = f"{RESULTS}/query_clusters/{ranker['clustering']}.parquet"
    if ranker["in_batch"]:
        inputs["in_batch_teacher"] = weights_of(ranker["in_batch"]["teacher"], TEACHER_SEED)
    if training_set["validation"] and CONFIG["training"][ranker["training"]]["validate_every"]:
        inputs["validation_queries"] = f"{folder}/validation/queries.parquet"
        inputs["validation_qrels"] = f"{folder}/validation/qrels.txt"
        inputs["validation_run"] = f"{folder}/validation/candidates.trec"
        inputs["passages"] = passages_of(training_set["corpus"])
    return inputs


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
    wildcard_constraints:
        ranker=any_of(UNTRAINED),
    conda:
        ENVIRONMENT
    params:
        settings=ranker_settings,
        code=code_of("export_ranker", ranker_parts),
    script:
        "../scripts/export_ranker.py"
