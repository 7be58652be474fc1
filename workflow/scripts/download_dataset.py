"""Rule download_dataset: fetch the files of a part of a dataset."""

from stillroom.collections.dataset_files import download_dataset
from stillroom.log import start_log

start_log(snakemake.log[0])
download_dataset(
    dataset_id=snakemake.wildcards.dataset,
    part=snakemake.wildcards.part,
    report_path=snakemake.output.report,
)
