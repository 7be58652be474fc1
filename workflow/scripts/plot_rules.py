"""Rule plot_rules: draw the rules of the workflow."""

from stillroom.figures.rules import plot_rules
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_rules(
    config_paths=snakemake.input.configs,
    target=snakemake.params.target,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
