"""Rule average_scores: average the scores of a teacher's rankers."""

from stillroom.log import start_log
from stillroom.teacher_scores import average_scores

start_log(snakemake.log[0])
average_scores(
    teacher=snakemake.wildcards.teacher,
    triples_scores_paths=snakemake.input.triples_scores,
    validation_scores_paths=snakemake.input.validation_scores,
    triples_path=snakemake.input.triples,
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    validation_run_path=snakemake.input.validation_run,
    validation_qrels_path=snakemake.input.validation_qrels,
    scores_path=snakemake.output.scores,
    tsv_path=snakemake.output.tsv,
    measures_path=snakemake.output.measures,
)
