"""
Tables.

Needs: metrics/<test_set>/<system>.json of the rows' systems.
Makes: results/<experiment>/tables/<table>.{csv,md,tex}; the first column of the CSV is `system`, as in the paths.
"""

TABLE_FORMATS = ["csv", "md", "tex"]


def table_settings(wildcards):
    """A table's block, the seeds that its rows have, and the rankers whose encoder knows the collection."""
    table = CONFIG["tables"][wildcards.table]
    return stable({**table, "seeds": CONFIG["seeds"], "seen": rankers_that_saw(CONFIG, table["test_sets"])})


def length_table_settings(wildcards):
    """A length table's block, the seeds that its rows have, and the rankers whose encoder knows the collection."""
    table = CONFIG["length_tables"][wildcards.length_table]
    return stable({**table, "seeds": CONFIG["seeds"], "seen": rankers_that_saw(CONFIG, [table["test_set"]])})


def table_metrics(wildcards):
    """The metrics of all systems that a table names, on all its test sets."""
    table = CONFIG["tables"][wildcards.table]
    named = systems({**CONFIG, "tables": {wildcards.table: table}, "length_tables": {}})
    return [f"{RESULTS}/metrics/{test_set}/{system}.json" for test_set in table["test_sets"] for system in named]


def length_table_metrics(wildcards):
    """The metrics of all systems that a length table names."""
    table = CONFIG["length_tables"][wildcards.length_table]
    named = systems({**CONFIG, "tables": {}, "length_tables": {wildcards.length_table: table}})
    return [f"{RESULTS}/metrics/{table['test_set']}/{system}.json" for system in named]


def length_table_test_set(wildcards):
    """The judgements and passages by whose length the queries are grouped."""
    test_set = CONFIG["length_tables"][wildcards.length_table]["test_set"]
    return {
        "qrels": f"{RESULTS}/test_sets/{test_set}/qrels.txt",
        "passages": passages_of(CONFIG["test_sets"][test_set]["corpus"]),
    }


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
    params:
        settings=length_table_settings,
        code=code_of("make_length_table"),
    script:
        "../scripts/make_length_table.py"


rule tables:
    """Every table of the experiment."""
    input:
        expand(
            f"{RESULTS}/tables/{{table}}.{{format}}",
            table=[*CONFIG["tables"], *CONFIG["length_tables"]],
            format=TABLE_FORMATS,
        ),


localrules:
    tables,
    make_table,
    make_length_table,
