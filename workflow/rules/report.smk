"""
The report: one page with all tables and figures, what systems find for single queries, and where numbers are from.

Needs: tables/<table>.html; figures/<figure>.svg; metrics/<test_set>/<system>.json, runs/<test_set>/<system>.trec;
queries, judgements and passages of the test sets; benchmarks/ and logs/, which are beside every output.
Makes, under results/<experiment>/:

    report.html     opens from disk in any browser, without a server or a network
"""

# Not Python, so the digest of the code does not know them; relative, because another checkout is no other input.
PAGE = f"{os.path.relpath(SCRIPTS)}/stillroom/report"


rule make_report:
    """Put all that has run on one page."""
    input:
        unpack(report_runs),
        tables=report_tables,
        figures=report_figures,
        template=f"{PAGE}/page.html",
        style=f"{PAGE}/page.css",
        scripts=expand(f"{PAGE}/{{script}}.js", script=["words", "page", "explorer"]),
    output:
        report=report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=gigabytes(6),
        runtime=hours(1),
    params:
        settings=report_settings,
        steps=report_steps,
        code=code_of("make_report"),
    script:
        "../scripts/make_report.py"


rule report:
    """The page of what has run."""
    input:
        f"{RESULTS}/report.html",


localrules:
    make_report,
    report,
