"""The check of the teachers: each has scores from one place, and triples of a score file have a score file."""

import re
from urllib.parse import urlparse

from stillroom.config_schema import config_error

MD5 = re.compile(r"[0-9a-f]{32}")


def check_teachers(config: dict) -> None:
    """Every teacher, and every training set that takes its triples from one."""
    for name, teacher in config["teachers"].items():
        check_teacher(("teachers", name), teacher)
    for name, training_set in config["training_sets"].items():
        if training_set["triples_of"]:
            check_triples_of(config, ("training_sets", name, "triples_of"), training_set)


def check_teacher(path: tuple, teacher: dict) -> None:
    """A teacher is made of rankers or is a score file, whose md5 may be known."""
    average, scores, md5 = teacher["average"], teacher["scores"], teacher["md5"]
    if (average is None) == (scores is None):
        found = "neither average nor scores" if scores is None else "both average and scores"
        raise config_error(path, f"found {found}, expected one of them.")
    if scores is None and md5 is not None:
        raise config_error((*path, "md5"), "has no effect without scores; take the key out.")
    if md5 is not None and not MD5.fullmatch(md5):
        raise config_error((*path, "md5"), f"found {md5!r}, expected 32 digits of 0-9 and a-f.")
    if scores and "://" in scores and not is_url(scores):
        raise config_error((*path, "scores"), f"found {scores!r}, expected a path or a URL with http or https.")


def check_triples_of(config: dict, path: tuple, training_set: dict) -> None:
    """Triples come from a score file or from BM25, and rankers have none."""
    teacher = training_set["triples_of"]
    if training_set["negatives"]:
        raise config_error(path, "has no effect with negatives, which make other triples; take one of them out.")
    if not config["teachers"][teacher]["scores"]:
        raise config_error(path, f"{teacher} averages rankers; expected a teacher with scores, a file of triples.")


def is_url(scores: str) -> bool:
    """Whether a score file has to be downloaded."""
    return scores.startswith(("http://", "https://"))


def suffix_of(url: str) -> str:
    """How the name of a downloaded score file ends."""
    return "tsv.gz" if urlparse(url).path.endswith(".gz") else "tsv"
