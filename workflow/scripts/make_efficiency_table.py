"""Rule make_efficiency_table: put what rankers cost side by side."""

from stillroom.efficiency_tables import make_efficiency_table
from stillroom.log import start_log

start_log(snakemake.log[0])
make_efficiency_table(
    settings=snakemake.params.settings,
    efficiency_paths=snakemake.params.files["efficiency"],
    index_folders=snakemake.params.files["indexes"],
    csv_path=snakemake.output.csv,
    md_path=snakemake.output.md,
    tex_path=snakemake.output.tex,
    html_path=snakemake.output.html,
)
