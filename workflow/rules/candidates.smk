"""
Candidates from files of your own, or published ones, to be re-ranked.

Needs: queries of a test set; a path or a URL.
Makes, under results/<experiment>/; <reranking> is a name under `rerankings` with files:

    candidate_files/<reranking>/<test_set>    as downloaded
    candidates/<reranking>/<test_set>.trec    those of the test set's queries; no run of a system, for they may have no order
"""

FROM_FILES = any_of(from_files(CONFIG))


rule fetch_candidates:
    """Download a file of candidates; resumes after an interruption."""
    output:
        candidates=f"{RESULTS}/candidate_files/{{reranking}}/{{test_set}}",
    log:
        f"{RESULTS}/logs/candidate_files/{{reranking}}/{{test_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/candidate_files/{{reranking}}/{{test_set}}.tsv"
    wildcard_constraints:
        reranking=FROM_FILES,
    retries: 2
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(4),
    params:
        settings=candidate_file_settings,
        code=code_of("fetch_candidates"),
    script:
        "../scripts/fetch_candidates.py"


rule import_candidates:
    """Write the candidates of a file as a run."""
    input:
        candidates=candidates_source,
        queries=f"{RESULTS}/test_sets/{{test_set}}/queries.parquet",
    output:
        run=f"{RESULTS}/candidates/{{reranking}}/{{test_set}}.trec",
    log:
        f"{RESULTS}/logs/candidates/{{reranking}}/{{test_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/candidates/{{reranking}}/{{test_set}}.tsv"
    wildcard_constraints:
        reranking=FROM_FILES,
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(4),
        runtime=hours(1),
    params:
        settings=import_settings,
        code=code_of("import_candidates"),
    script:
        "../scripts/import_candidates.py"
