"""Rule make_search_table: put exact and approximate search side by side."""

from stillroom.log import start_log
from stillroom.search_tables import make_search_table

start_log(snakemake.log[0])
make_search_table(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.input.metrics,
    run_paths=snakemake.input.runs,
    reference_path=snakemake.input.reference,
    search_paths=snakemake.input.searches,
    build_paths=snakemake.input.builds,
    index_folders=snakemake.input.indexes,
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
)
