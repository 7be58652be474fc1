"""Rule make_table: put the systems' measures side by side."""

from stillroom.log import start_log
from stillroom.tables import make_table

start_log(snakemake.log[0])
make_table(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.params.files["metrics"],
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
    html_path=snakemake.output.html,
)
