"""Rule make_length_table: group the queries by the length of their relevant passage."""

from stillroom.length_tables import make_length_table
from stillroom.log import start_log

start_log(snakemake.log[0])
make_length_table(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.params.files["metrics"],
    qrels_path=snakemake.params.files["qrels"][0],
    passages_path=snakemake.params.files["passages"][0],
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
    html_path=snakemake.output.html,
)
