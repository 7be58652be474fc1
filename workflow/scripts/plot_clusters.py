"""Rule plot_clusters: draw the sizes of clusters."""

from stillroom.figures.clusters import plot_clusters
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_clusters(
    settings=snakemake.params.settings,
    clusters_path=snakemake.input.clusters,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
