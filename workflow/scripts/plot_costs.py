"""Rule plot_costs: draw effectiveness against latency."""

from stillroom.figures.costs import plot_costs
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_costs(
    settings=snakemake.params.settings,
    efficiency_paths=snakemake.input.efficiency,
    metrics_paths=snakemake.input.metrics,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
