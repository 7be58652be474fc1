"""Rule make_search_table: put exact and approximate search side by side."""

from stillroom.log import start_log
from stillroom.search_tables import make_search_table

start_log(snakemake.log[0])
make_search_table(
    settings=snakemake.params.settings,
    metrics_paths=snakemake.params.files["metrics"],
    run_paths=snakemake.params.files["runs"],
    reference_path=snakemake.params.files["reference"][0],
    search_paths=snakemake.params.files["searches"],
    build_paths=snakemake.params.files["builds"],
    index_folders=snakemake.params.files["indexes"],
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
    html_path=snakemake.output.html,
)
