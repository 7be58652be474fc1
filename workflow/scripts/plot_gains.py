"""Rule plot_gains: draw what each query gains or loses."""

from stillroom.figures.gains import plot_gains
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_gains(
    settings=snakemake.params.settings,
    metrics_paths=[snakemake.input.baseline, *snakemake.input.metrics],
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
