"""Serve a page on this machine where BM25 and an experiment's trained students answer side by side: `make demo`."""

import argparse
import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "scripts"))
os.environ["HF_HUB_OFFLINE"] = "1"  # models are read from results/ only

from snakemake.common.configfile import load_configfile
from snakemake.utils import available_cpu_count, update_config
from werkzeug.serving import make_server

from stillroom.config_check import ConfigError, check_config
from stillroom.config_files import check_keys_once
from stillroom.demo.app import Corpus, create_app
from stillroom.demo.engine import Engine
from stillroom.demo.passages import Passages
from stillroom.demo.systems import check_any, example_queries, shown_first, systems_of_corpus
from stillroom.demo.workers import Worker

HOST = "127.0.0.1"
SCHEMA = Path(__file__).parent.parent / "workflow" / "schemas" / "config.schema.yaml"
WORKERS = ["lucene", "encoder", "approximate"]


def main() -> None:
    options = read_options()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request
    try:
        config = read_config(options.config)
        corpora = read_corpora(config, options.config)
    except (ConfigError, FileNotFoundError) as error:
        raise SystemExit(f"{error}") from None
    workers: dict[str, Worker] = {}
    engine = Engine(lambda kind, *words, **details: workers[kind].ask(*words, **details), passages_of(corpora))
    server = make_server(HOST, options.port, create_app(config["experiment"], corpora, engine.answer), threaded=True)
    try:
        workers |= {kind: Worker(kind, options.threads) for kind in WORKERS}
        warm_up(engine, corpora)
        print(f"http://{HOST}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        print(file=sys.stderr)
    except (RuntimeError, ValueError) as error:
        raise SystemExit(f"{error}") from None
    finally:
        server.server_close()
        for worker in workers.values():
            worker.close()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "config", nargs="*", default=["config.yaml"], help="the experiment's files, merged in this order"
    )
    parser.add_argument("--port", type=int, default=8000, help="of 127.0.0.1; 0 takes one that is free")
    parser.add_argument("--threads", type=int, default=available_cpu_count(), help="of the CPU, for each system")
    return parser.parse_args()


def read_config(files: list[str]) -> dict:
    """The checked config of some files, merged as Snakemake merges them."""
    if missing := [file for file in files if not Path(file).exists()]:
        raise FileNotFoundError(f"{missing[0]}: this config file is missing.")
    try:
        check_keys_once(files)
        config: dict = {}
        for file in files:
            update_config(config, load_configfile(file))
        return check_config(config, SCHEMA)
    except ConfigError as error:
        raise ConfigError(f"{', '.join(files)}: {error}") from None


def read_corpora(config: dict, files: list[str]) -> dict[str, Corpus]:
    """The corpora that something can search, with what does."""
    results = Path("results") / config["experiment"]
    systems = {corpus: systems_of_corpus(config, corpus, results) for corpus in config["corpora"]}
    command = f"snakemake --cores all --configfile {' '.join(files)}"
    check_any([one for each in systems.values() for one in each], results, command)
    return {
        corpus: Corpus(
            systems=[one for one in each if one.is_there],
            missing=[one for one in each if not one.is_there],
            passages=Passages(results / "corpora" / corpus / "passages.parquet"),
            examples=example_queries(config, corpus, results),
        )
        for corpus, each in systems.items()
        if any(one.is_there for one in each)
    }


def passages_of(corpora: dict[str, Corpus]) -> dict[str, Passages]:
    """The passages of each corpus."""
    return {name: corpus.passages for name, corpus in corpora.items()}


def warm_up(engine: Engine, corpora: dict[str, Corpus]) -> None:
    """Have what the page shows first loaded before anyone waits for it."""
    first = next(iter(corpora.values()))
    for system in shown_first(first.systems):
        print(f"loading {system.label} ({system.name})", file=sys.stderr, flush=True)
        engine.answer(system, "what is it")


if __name__ == "__main__":
    main()
