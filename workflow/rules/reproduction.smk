"""
Published numbers beside ours, and where the differences come from.

Needs: metrics/<test_set>/<system>.json; workflow/published/*.csv or files of your own, which are read with the config.
Makes, under results/<experiment>/:

    tables/reproduction.{csv,md,tex,html}    the rows of `published`: ours, theirs, the difference, a verdict
    tables/<paper_table>.{csv,md,tex,html}   a published table with our numbers in it
    comparisons/<paper_table>/<row>/<test_set>.json    how closely our runs are those of the publication's own system
    ladders/<ladder>.{csv,md}                from our number to a published one, one stage after the other
"""

LADDER_FORMATS = ["csv", "md"]


rule compare_published:
    """Put published numbers beside ours, with a verdict on each."""
    input:
        unpack(those_there(reproduction_files)),
    output:
        csv=f"{RESULTS}/tables/{REPRODUCTION}.csv",
        md=f"{RESULTS}/tables/{REPRODUCTION}.md",
        tex=f"{RESULTS}/tables/{REPRODUCTION}.tex",
        html=report(
            f"{RESULTS}/tables/{REPRODUCTION}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/tables/{REPRODUCTION}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(1),
    params:
        settings=reproduction_settings,
        files=reproduction_files,
        code=code_of("compare_published"),
    script:
        "../scripts/compare_published.py"


rule make_paper_table:
    """Put our numbers into a published table."""
    input:
        unpack(those_there(paper_table_files)),
    output:
        csv=f"{RESULTS}/tables/{{paper_table}}.csv",
        md=f"{RESULTS}/tables/{{paper_table}}.md",
        tex=f"{RESULTS}/tables/{{paper_table}}.tex",
        html=report(
            f"{RESULTS}/tables/{{paper_table}}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/tables/{{paper_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=settings_of_paper_table,
        files=paper_table_files,
        code=code_of("make_paper_table"),
    script:
        "../scripts/make_paper_table.py"


rule compare_runs:
    """Say how closely runs of ours are those of a publication, by rank, effect and query."""
    input:
        unpack(comparison_files),
    output:
        comparison=f"{RESULTS}/comparisons/{{paper_table}}/{{row}}/{{test_set}}.json",
    log:
        f"{RESULTS}/logs/comparisons/{{paper_table}}/{{row}}/{{test_set}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(1),
    params:
        settings=comparison_margins,
        code=code_of("compare_runs"),
    script:
        "../scripts/compare_runs.py"


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
    make_paper_table,
    explain_cell,
    reproduce_published,
    explain,
