"""
Measures, by query and on average.

Needs: a run, the queries and judgements of its test set.
Makes: results/<experiment>/metrics/<test_set>/<system>.json; <system> is a name under `bm25`, <ranker>/seed-<n>/<way> or <teacher>/rerank.
"""

SYSTEM = "|".join(
    [
        any_of(CONFIG["bm25"]),
        f"({any_of(CONFIG['rankers'])})/seed-\\d+/rerank",
        f"({any_of(CONFIG['teachers'])})/rerank",
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
