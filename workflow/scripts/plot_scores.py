"""Rule plot_scores: draw how a teacher and its students score."""

from stillroom.figures.scores import plot_scores
from stillroom.log import start_log

start_log(snakemake.log[0])
plot_scores(
    settings=snakemake.params.settings,
    scores_path=snakemake.input.scores,
    qrels_path=snakemake.input.qrels,
    run_paths=snakemake.input.runs,
    svg_path=snakemake.output.svg,
    png_path=snakemake.output.png,
)
