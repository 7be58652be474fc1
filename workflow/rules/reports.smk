"""
Tables and figures.

Needs: metrics/<test_set>/<system>.json of the rows' systems, efficiency/<test_set>/<system>.json; indexes and runs.
Makes, under results/<experiment>/:

    tables/<table>.{csv,md,tex}         the first column of the CSV is `system`, as in the paths
    figures/<search_table>.{svg,png}    recall against speed
"""

TABLE_FORMATS = ["csv", "md", "tex"]
FIGURE_FORMATS = ["svg", "png"]


rule make_table:
    """Put the systems' measures side by side, and say which expectations hold."""
    input:
        metrics=table_metrics,
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=table_settings,
        code=code_of("make_table"),
    script:
        "../scripts/make_table.py"


rule make_length_table:
    """Group the queries by the length of their relevant passage, one column per group."""
    input:
        unpack(length_table_test_set),
        metrics=length_table_metrics,
    output:
        csv=f"{RESULTS}/tables/{{length_table}}.csv",
        md=f"{RESULTS}/tables/{{length_table}}.md",
        tex=f"{RESULTS}/tables/{{length_table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{length_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5),
    params:
        settings=length_table_settings,
        code=code_of("make_length_table"),
    script:
        "../scripts/make_length_table.py"


rule make_efficiency_table:
    """Put what rankers cost side by side."""
    input:
        unpack(efficiency_table_inputs),
    output:
        csv=f"{RESULTS}/tables/{{efficiency_table}}.csv",
        md=f"{RESULTS}/tables/{{efficiency_table}}.md",
        tex=f"{RESULTS}/tables/{{efficiency_table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{efficiency_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(3),
        runtime=hours(0.5),
    params:
        settings=efficiency_table_settings,
        code=code_of("make_efficiency_table"),
    script:
        "../scripts/make_efficiency_table.py"


rule make_search_table:
    """Put exact and approximate search side by side."""
    input:
        unpack(search_table_inputs),
    output:
        csv=f"{RESULTS}/tables/{{search_table}}.csv",
        md=f"{RESULTS}/tables/{{search_table}}.md",
        tex=f"{RESULTS}/tables/{{search_table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{search_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5),
    params:
        settings=search_table_settings,
        code=code_of("make_search_table"),
    script:
        "../scripts/make_search_table.py"


rule plot_search:
    """Draw the recall of a search table over its speed."""
    input:
        csv=rules.make_search_table.output.csv,
    output:
        svg=f"{RESULTS}/figures/{{search_table}}.svg",
        png=f"{RESULTS}/figures/{{search_table}}.png",
    log:
        f"{RESULTS}/logs/figures/{{search_table}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(1),
        runtime=hours(0.5),
    params:
        settings=search_figure_settings,
        code=code_of("plot_search"),
    script:
        "../scripts/plot_search.py"


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
                *([REPRODUCTION] if CONFIG["published"]["rows"] else []),
            ],
            format=TABLE_FORMATS,
        ),


rule figures:
    """Every figure of the experiment."""
    input:
        expand(
            f"{RESULTS}/figures/{{search_table}}.{{format}}",
            search_table=CONFIG["search_tables"],
            format=FIGURE_FORMATS,
        ),


localrules:
    tables,
    figures,
    make_table,
    make_length_table,
    make_efficiency_table,
    make_search_table,
    plot_search,
