"""Rule plot_search: draw recall against speed."""

from stillroom.figures.search import plot_search
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_search(
    settings=snakemake.params.settings,
    csv_path=snakemake.input.csv,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
