"""Rule make_report: put all that has run on one page."""

from stillroom.log import start_log
from stillroom.report.page import make_report

start_log(snakemake.log[0])
make_report(
    settings=snakemake.params.settings,
    steps=snakemake.params.steps,
    tables=snakemake.input.tables,
    figures=snakemake.input.figures,
    metrics=snakemake.input.metrics,
    runs=snakemake.input.runs,
    queries=snakemake.input.queries,
    qrels=snakemake.input.qrels,
    passages=snakemake.input.passages,
    template=snakemake.input.template,
    style=snakemake.input.style,
    scripts=snakemake.input.scripts,
    report_path=snakemake.output.report,
)
