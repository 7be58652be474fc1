"""Rule extract_triples: take the triples of a teacher's score file."""

from stillroom.log import start_log
from stillroom.published_scores import extract_triples

start_log(snakemake.log[0])
extract_triples(
    score_file_path=snakemake.input.score_file,
    md5=snakemake.params.settings["md5"],
    triples=snakemake.params.settings["triples"],
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    triples_path=snakemake.output.triples,
    report_path=snakemake.output.report,
)
