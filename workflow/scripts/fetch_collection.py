"""Rule fetch_collection: write the passages of a corpus."""

from stillroom.collections.datasets import fetch_collection
from stillroom.log import start_log

start_log(snakemake.log[0])
fetch_collection(
    dataset_id=snakemake.params.settings["dataset"],
    text=snakemake.params.settings["text"],
    titles=snakemake.params.settings["titles"],
    passages=snakemake.params.settings["passages"],
    sample=snakemake.params.settings["sample"],
    kept_path=snakemake.input.get("kept"),
    passages_path=snakemake.output.passages,
)
