"""Where numbers come from: runs, settings, code, data, versions, machines, time and memory of the steps behind them."""

import csv
from collections.abc import Iterable
from pathlib import Path

import yaml

from stillroom.files import digest, read_json
from stillroom.machine import facts_path
from stillroom.measures import parse_measure

DATA = ("run", "qrels", "queries", "passages")  # the inputs that a measured number is of; they are known by digests
MEBIBYTE, GIGABYTE = 1 << 20, 1_000_000_000  # max_rss of benchmark files is in MiB
HOUR = 3600


def provenance(sources: Iterable[str], steps: list[dict]) -> dict:
    """What is known of the files that numbers are from, and of the steps behind them.

    A step is {rule, outputs, inputs, those with a name, settings, code, benchmark, log}. There may be more than are
    needed: those that nothing here is made by are left out.
    """
    made_by = {output: step for step in steps for output in step["outputs"]}
    behind = {source: steps_behind(source, made_by) for source in sorted(set(sources))}
    needed = {step["outputs"][0]: step for found in behind.values() for step in found}
    place_of = {output: place for place, output in enumerate(sorted(needed))}
    machines, digests = [], {}
    described = [describe_step(needed[output], machines) for output in sorted(needed)]
    return {
        "sources": {
            source: {
                **contents_of(source),
                "data": data_of(made_by.get(source), digests),
                "steps": [place_of[step["outputs"][0]] for step in found],
            }
            for source, found in behind.items()
        },
        "steps": described,
        "machines": machines,
        "totals": totals(described, machines),
    }


def steps_behind(path: str, made_by: dict[str, dict]) -> list[dict]:
    """The steps that a file is made by, in an order in which they can run."""
    found: dict[str, dict] = {}
    seen = set()

    def visit(path: str) -> None:
        if path in seen or path not in made_by:
            return
        step = made_by[path]
        seen.update(step["outputs"])
        for each in step["inputs"]:
            visit(each)
        found[step["outputs"][0]] = step

    visit(path)
    return list(found.values())


def describe_step(step: dict, machines: list[dict]) -> dict:
    """What made it and what it cost; the machine is a place in the list, to which a new one is added."""
    costs, facts = read_costs(step["benchmark"]), read_facts(step["log"])
    if facts and facts not in machines:
        machines.append(facts)
    gpus = len(facts["gpus"]) if facts else 0
    return {
        "rule": step["rule"],
        "makes": step["outputs"],
        "settings": yaml.safe_dump(step["settings"], sort_keys=True, allow_unicode=True).strip()
        if step["settings"]
        else "",
        "code": step["code"],
        "seconds": costs.get("s"),
        "gigabytes": costs["max_rss"] * MEBIBYTE / GIGABYTE if costs.get("max_rss") else None,
        "gpu_hours": costs["s"] * gpus / HOUR if facts and costs.get("s") else None,
        "machine": machines.index(facts) if facts else None,
    }


def read_costs(path: str | None) -> dict[str, float]:
    """The numbers of a benchmark file; none where a step has no such file, and none that was not measured."""
    if path is None or not Path(path).exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        *_, last = csv.DictReader(file, delimiter="\t")
    found = {name: as_number(text) for name, text in last.items()}
    return {name: value for name, value in found.items() if value is not None}


def as_number(text: str) -> float | None:
    """What a cell of a benchmark file says; a dash or NA is nothing."""
    try:
        return float(text)
    except ValueError:
        return None


def read_facts(log: str | None) -> dict | None:
    """What a step ran on; nothing where it was not noted."""
    if log is None or not facts_path(log).exists():
        return None
    return read_json(facts_path(log))


def contents_of(source: str) -> dict:
    """What a file of numbers says itself: what it is measured on, and its measures as they can be computed again.

    Numbers are also of runs and of indexes, which say nothing.
    """
    content = read_json(source) if source.endswith(".json") else {}
    measures = content["measures"] if "min_relevance" in content else {}
    return {
        "facts": {key: value for key, value in content.items() if isinstance(value, str | int | float)},
        "measures": {name: str(parse_measure(name, content["min_relevance"])) for name in measures},
    }


def data_of(step: dict | None, digests: dict[str, str]) -> dict[str, list[str]]:
    """What was measured: (path, digest) of the run, the judgements, the queries and the passages."""
    named = {name: step["named"][name] for name in DATA if name in step["named"]} if step else {}
    for path in named.values():
        if path not in digests and Path(path).exists():
            digests[path] = digest(path)
    return {name: [path, digests.get(path, "")] for name, path in named.items()}


def totals(steps: list[dict], machines: list[dict]) -> dict:
    """All time, the most memory and all GPU-hours, and of how many steps they are known."""
    timed = [step for step in steps if step["seconds"] is not None]
    on_known = [step for step in timed if step["machine"] is not None]
    return {
        "steps": len(steps),
        "timed": len(timed),
        "seconds": sum(step["seconds"] for step in timed),
        "gigabytes": max((step["gigabytes"] or 0 for step in timed), default=0),
        "gpu_hours": sum(step["gpu_hours"] for step in on_known) if on_known else None,
    }
