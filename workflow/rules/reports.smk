"""
Tables.

Needs: metrics/<test_set>/<system>.json of the rows' systems, efficiency/<test_set>/<system>.json; indexes and runs.
Makes, under results/<experiment>/:

    tables/<table>.{csv,md,tex,html}    the first column of the CSV is `system`, as in the paths
"""

TABLE_FORMATS = ["csv", "md", "tex", "html"]


rule make_table:
    """Put the systems' measures side by side, and say which expectations hold."""
    input:
        unpack(those_there(table_files)),
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
        html=report(
            f"{RESULTS}/tables/{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=table_settings,
        files=table_files,
        code=code_of("make_table"),
    script:
        "../scripts/make_table.py"


rule make_length_table:
    """Group the queries by the length of their relevant passage, one column per group."""
    input:
        unpack(those_there(length_table_files)),
    output:
        csv=f"{RESULTS}/tables/{{length_table}}.csv",
        md=f"{RESULTS}/tables/{{length_table}}.md",
        tex=f"{RESULTS}/tables/{{length_table}}.tex",
        html=report(
            f"{RESULTS}/tables/{{length_table}}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/tables/{{length_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5),
    params:
        settings=length_table_settings,
        files=length_table_files,
        code=code_of("make_length_table"),
    script:
        "../scripts/make_length_table.py"


rule make_efficiency_table:
    """Put what rankers cost side by side."""
    input:
        unpack(those_there(efficiency_table_files)),
    output:
        csv=f"{RESULTS}/tables/{{efficiency_table}}.csv",
        md=f"{RESULTS}/tables/{{efficiency_table}}.md",
        tex=f"{RESULTS}/tables/{{efficiency_table}}.tex",
        html=report(
            f"{RESULTS}/tables/{{efficiency_table}}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/tables/{{efficiency_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=efficiency_table_settings,
        files=efficiency_table_files,
        code=code_of("make_efficiency_table"),
    script:
        "../scripts/make_efficiency_table.py"


rule make_search_table:
    """Put exact and approximate search side by side."""
    input:
        unpack(those_there(search_table_files)),
    output:
        csv=f"{RESULTS}/tables/{{search_table}}.csv",
        md=f"{RESULTS}/tables/{{search_table}}.md",
        tex=f"{RESULTS}/tables/{{search_table}}.tex",
        html=report(
            f"{RESULTS}/tables/{{search_table}}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/tables/{{search_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5),
    params:
        settings=search_table_settings,
        files=search_table_files,
        code=code_of("make_search_table"),
    script:
        "../scripts/make_search_table.py"


rule tables:
    """Every table of the experiment."""
    input:
        expand(
            f"{RESULTS}/tables/{{table}}.{{format}}",
            table=[
                *CONFIG["tables"],
                *CONFIG["length_tables"],
                *CONFIG["efficiency_tables"],
                *CONFIG["search_tables"],
                *CONFIG["paper_tables"],
                *([REPRODUCTION] if CONFIG["published"]["rows"] else []),
            ],
            format=TABLE_FORMATS,
        ),


localrules:
    tables,
    make_table,
    make_length_table,
    make_efficiency_table,
    make_search_table,
