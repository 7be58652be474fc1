"""
Published numbers beside ours, and where the differences come from.

Needs: metrics/<test_set>/<system>.json; workflow/published/*.csv or files of your own, which are read with the config.
Makes, under results/<experiment>/:

    tables/reproduction.{csv,md,tex}    the rows of `published`: ours, theirs, the difference, a verdict
    ladders/<ladder>.{csv,md}           from our number to a published one, one stage after the other
"""

LADDER_FORMATS = ["csv", "md"]


rule compare_published:
    """Put published numbers beside ours, with a verdict on each."""
    input:
        metrics=reproduction_metrics,
    output:
        csv=f"{RESULTS}/tables/{REPRODUCTION}.csv",
        md=f"{RESULTS}/tables/{REPRODUCTION}.md",
        tex=f"{RESULTS}/tables/{REPRODUCTION}.tex",
    log:
        f"{RESULTS}/logs/tables/{REPRODUCTION}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(1),
    params:
        settings=reproduction_settings,
        code=code_of("compare_published"),
    script:
        "../scripts/compare_published.py"


rule explain_cell:
    """Say at which stage the difference to a published number comes about."""
    input:
        metrics=ladder_metrics,
    output:
        csv=f"{RESULTS}/ladders/{{ladder}}.csv",
        md=f"{RESULTS}/ladders/{{ladder}}.md",
    log:
        f"{RESULTS}/logs/ladders/{{ladder}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(1),
    params:
        settings=ladder_settings,
        code=code_of("explain_cell"),
    script:
        "../scripts/explain_cell.py"


rule reproduce_published:
    """The published numbers that need no training of ours."""
    input:
        reproduction_tables,


rule explain:
    """Every ladder of the experiment."""
    input:
        ladder_files,


localrules:
    compare_published,
    explain_cell,
    reproduce_published,
    explain,
