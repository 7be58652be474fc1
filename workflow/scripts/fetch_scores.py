"""Rule fetch_scores: download a teacher's score file."""

from stillroom.downloads import fetch_file
from stillroom.log import start_log

start_log(snakemake.log[0])
fetch_file(
    url=snakemake.params.settings["scores"],
    md5=snakemake.params.settings["md5"],
    path=snakemake.output.score_file,
)
