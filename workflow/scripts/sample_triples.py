"""Rule sample_triples: pair relevant passages with negatives from their queries' candidates."""

from stillroom.log import start_log
from stillroom.triple_sources import sample_triples

start_log(snakemake.log[0])
sample_triples(
    candidates_path=snakemake.input.candidates,
    queries_path=snakemake.input.queries,
    qrels_path=snakemake.input.qrels,
    passages_path=snakemake.input.passages,
    per_query=snakemake.params.settings["negatives"]["per_query"],
    per_relevant=snakemake.params.settings["negatives"]["per_relevant"],
    among=snakemake.params.settings["negatives"]["among"],
    triples=snakemake.params.settings["triples"],
    triples_path=snakemake.output.triples,
)
