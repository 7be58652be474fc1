"""Rule plot_margins: draw the margins in random and balanced batches."""

from stillroom.figures.margins import plot_margins
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_margins(
    teacher=snakemake.wildcards.teacher,
    batches_path=snakemake.input.batches,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
