"""Rule make_length_table: group the queries by the length of their relevant passage."""

from stillroom.length_tables import make_length_table
from stillroom.log import start_log

start_log(snakemake.log[0])
make_length_table(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.input.metrics,
    qrels_path=snakemake.input.qrels,
    passages_path=snakemake.input.passages,
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
)
