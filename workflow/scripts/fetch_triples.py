"""Rule fetch_triples: take the triples that the dataset brings."""

from stillroom.log import start_log
from stillroom.triple_sources import fetch_triples

start_log(snakemake.log[0])
fetch_triples(
    dataset_id=snakemake.params.settings["dataset"],
    triples=snakemake.params.settings["triples"],
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    triples_path=snakemake.output.triples,
)
