"""Rule draw_batches: draw batches with the samplers, without a training."""

from stillroom.batch_margins import draw_batches
from stillroom.log import start_log

start_log(snakemake.log[0])
draw_batches(
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
    triples_path=snakemake.input.triples,
    teacher_scores_path=snakemake.input.teacher_scores,
    clusters_path=snakemake.input.clusters,
    batches_path=snakemake.output.batches,
)
