"""Rule make_paper_table: put our numbers into a published table."""

from stillroom.log import start_log
from stillroom.paper_tables import make_paper_table

start_log(snakemake.log[0])
make_paper_table(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.params.files["metrics"],
    comparison_paths=snakemake.params.files["comparisons"],
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
    html_path=snakemake.output.html,
)
