"""Rule plot_training: draw the curves of all trainings."""

from stillroom.figures.training import plot_training
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_training(
    settings=snakemake.params.settings,
    curve_paths=snakemake.input.curves,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
