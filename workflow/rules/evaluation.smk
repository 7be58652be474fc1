"""
Measures of effectiveness, by query and on average, and of efficiency.

Needs: a run, the queries and judgements of its test set; a model folder and BM25 candidates.
Makes: results/<experiment>/metrics/<test_set>/<system>.json; <system> is a name under `bm25` or <ranker>/seed-<n>/<way>;
results/<experiment>/efficiency/<efficiency_table>/<ranker>.json.
"""

SYSTEM = "|".join(
    [
        any_of(CONFIG["bm25"]),
        f"({any_of(CONFIG['rankers'])})/seed-\\d+/rerank",
        f"({any_of(retrieving_rankers(CONFIG))})/seed-\\d+/({any_of(CONFIG['indexes'])})",
    ]
)


rule measure:
    """Measure one run."""
    input:
        run=f"{RESULTS}/runs/{{test_set}}/{{system}}.trec",
        qrels=f"{RESULTS}/test_sets/{{test_set}}/qrels.txt",
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
        audits=audits,
        overlap=f"{RESULTS}/test_sets/{{test_set}}/overlap.json",  # test queries must be unseen
    output:
        metrics=f"{RESULTS}/metrics/{{test_set}}/{{system}}.json",
    log:
        f"{RESULTS}/logs/metrics/{{test_set}}/{{system}}.log",
    wildcard_constraints:
        system=SYSTEM,
    conda:
        ENVIRONMENT
    params:
        settings=measure_settings,
        code=code_of("measure"),
    script:
        "../scripts/measure.py"


rule measure_efficiency:
    """Time a ranker on the candidates of single queries, alone on the machine."""
    input:
        model=costed_model,
        candidates=costed_candidates,
        queries=costed_queries,
        passages=costed_passages,
        tokens=costed_tokens,
    output:
        efficiency=f"{RESULTS}/efficiency/{{efficiency_table}}/{{ranker}}.json",
    log:
        f"{RESULTS}/logs/efficiency/{{efficiency_table}}/{{ranker}}.log",
    conda:
        ENVIRONMENT
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        settings=efficiency_settings,
        code=code_of("measure_efficiency", ranker_parts),
    script:
        "../scripts/measure_efficiency.py"
