"""Rule plot_search: draw recall against speed."""

from stillroom.log import start_log
from stillroom.search_figures import plot_search

start_log(snakemake.log[0])
plot_search(
    settings=snakemake.params.settings,
    csv_path=snakemake.input.csv,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
