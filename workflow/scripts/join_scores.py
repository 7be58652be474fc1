"""Rule join_scores: look the scores of the training triples up in a teacher's score file."""

from stillroom.log import start_log
from stillroom.published_scores import join_scores

start_log(snakemake.log[0])
join_scores(
    score_file_path=snakemake.input.score_file,
    md5=snakemake.params.settings["md5"],
    triples_path=snakemake.input.triples,
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    scores_path=snakemake.output.scores,
    tsv_path=snakemake.output.tsv,
    report_path=snakemake.output.report,
)
