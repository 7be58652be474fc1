"""
Measures of effectiveness, by query and on average, and of efficiency.

Needs: a run, the queries, judgements and passages of its test set; a model folder and a token store; vectors and an
index.
Makes, under results/<experiment>/; <system> is a name under `bm25`, <ranker>/seed-<n>/<way> or <teacher>/<way>:

    metrics/<test_set>/<system>.json                            every measure
    efficiency/<test_set>/<ranker>/seed-<n>/rerank.json         what re-ranking costs
    efficiency/<test_set>/<ranker>/seed-<n>/<index>.json        what searching an index costs
    efficiency/indexes/<corpus>/<ranker>/seed-<n>/<index>.json  what building it costs
"""

SYSTEM = "|".join(
    [
        any_of(CONFIG["bm25"]),
        f"({any_of(CONFIG['rankers'])})/seed-\\d+/({any_of(rerankings_of(CONFIG))})",
        f"({any_of(AVERAGED)})/({any_of(rerankings_of(CONFIG))})",
        f"({any_of(retrieving_rankers(CONFIG))})/seed-\\d+/({any_of(CONFIG['indexes'])})",
    ]
)


rule measure:
    """Measure one run."""
    input:
        run=f"{RESULTS}/runs/{{test_set}}/{{system}}.trec",
        qrels=f"{RESULTS}/test_sets/{{test_set}}/qrels.txt",
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
        passages=corpus_passages,
        audits=audits,
        overlap=f"{RESULTS}/test_sets/{{test_set}}/overlap.json",  # test queries must be unseen
    output:
        metrics=f"{RESULTS}/metrics/{{test_set}}/{{system}}.json",
    log:
        f"{RESULTS}/logs/metrics/{{test_set}}/{{system}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics/{{test_set}}/{{system}}.tsv"
    wildcard_constraints:
        system=SYSTEM,
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5, per_million=0.1),
    params:
        settings=measure_settings,
        code=code_of("measure"),
    script:
        "../scripts/measure.py"


rule measure_efficiency:
    """Time a ranker that re-ranks for single queries, alone on the machine."""
    input:
        model=f"{RANKER}/model.safetensors",
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
        tokens=encoder_tokens,
    output:
        efficiency=f"{RESULTS}/efficiency/{{test_set}}/{{ranker}}/seed-{{seed}}/rerank.json",
    log:
        f"{RESULTS}/logs/efficiency/{{test_set}}/{{ranker}}/seed-{{seed}}/rerank.log",
    benchmark:
        f"{RESULTS}/benchmarks/efficiency/{{test_set}}/{{ranker}}/seed-{{seed}}/rerank.tsv"
    conda:
        ENVIRONMENT
    threads: all_cores
    resources:
        gpu=1,
        mem_mb=gigabytes(6, per_million=0.2),
        runtime=hours(1, per_million=0.1),
    params:
        settings=efficiency_settings,
        code=code_of("measure_efficiency", ranker_parts),
    script:
        "../scripts/measure_efficiency.py"


rule measure_index:
    """Time the building of an index, alone on the machine."""
    input:
        vectors=rules.encode_passages.output.vectors,
    output:
        efficiency=f"{RESULTS}/efficiency/indexes/{{corpus}}/{{ranker}}/seed-{{seed}}/{{index}}.json",
    log:
        f"{RESULTS}/logs/efficiency/indexes/{{corpus}}/{{ranker}}/seed-{{seed}}/{{index}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/efficiency/indexes/{{corpus}}/{{ranker}}/seed-{{seed}}/{{index}}.tsv"
    wildcard_constraints:
        index=any_of(BUILT),
    conda:
        ENVIRONMENT
    threads: all_cores
    resources:
        mem_mb=gigabytes_with_index(5),
        runtime=hours(1, per_million=3),
    params:
        settings=build_costs_settings,
        code=code_of("measure_index"),
    script:
        "../scripts/measure_index.py"


rule measure_search:
    """Time an index that is searched for single queries, alone on the machine."""
    input:
        index=searched_index,
        vectors=rules.retrieve.input.vectors,
    output:
        efficiency=f"{RESULTS}/efficiency/{{test_set}}/{{ranker}}/seed-{{seed}}/{{index}}.json",
    log:
        f"{RESULTS}/logs/efficiency/{{test_set}}/{{ranker}}/seed-{{seed}}/{{index}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/efficiency/{{test_set}}/{{ranker}}/seed-{{seed}}/{{index}}.tsv"
    conda:
        ENVIRONMENT
    threads: all_cores
    resources:
        mem_mb=gigabytes_with_index(1),
        runtime=hours(1, per_million=0.5),
    params:
        settings=search_costs_settings,
        code=code_of("measure_search"),
    script:
        "../scripts/measure_search.py"
