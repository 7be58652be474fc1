"""Rule compare_published: put published numbers beside ours."""

from stillroom.log import start_log
from stillroom.reproduction import compare_published

start_log(snakemake.log[0])
compare_published(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.params.files["metrics"],
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
    html_path=snakemake.output.html,
)
