"""Rule audit_triples: count what is odd about training triples."""

from stillroom.audit import audit_triples
from stillroom.log import start_log

start_log(snakemake.log[0])
audit_triples(
    triples_path=snakemake.input.triples,
    queries_path=snakemake.input.queries,
    qrels_path=snakemake.input.qrels,
    passages_path=snakemake.input.passages,
    audit_path=snakemake.output.audit,
)
