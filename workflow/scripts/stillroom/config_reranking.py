"""The ways to re-rank, which differ in their candidates, and their check.

`rerank` is the way of `reranking`; those under `rerankings` have names of their own.
"""

from stillroom.config_rankers import choices
from stillroom.config_schema import config_error
from stillroom.config_teachers import MD5, is_url

RERANK = "rerank"  # the way that every experiment has


def rerankings_of(config: dict) -> dict[str, dict]:
    """Way → its candidates and depth."""
    return {RERANK: config["reranking"], **config["rerankings"]}


def candidate_file(config: dict, way: str, test_set: str) -> dict | None:
    """The file (and md5) that has the candidates of a way; None where a BM25 finds them."""
    candidates = rerankings_of(config)[way]["candidates"]
    if not isinstance(candidates, dict):
        return None
    if test_set not in candidates:
        raise config_error(("rerankings", way, "candidates"), f"has no file for {test_set}.")
    return candidates[test_set]


def from_files(config: dict) -> list[str]:
    """The ways whose candidates are in files."""
    return [way for way, block in rerankings_of(config).items() if isinstance(block["candidates"], dict)]


def check_rerankings(config: dict) -> None:
    """Names are free, a BM25 keeps as many results as are re-ranked, files are of test sets."""
    for way, block in config["rerankings"].items():
        if way == RERANK or way in config["indexes"]:
            taken = "the way of reranking" if way == RERANK else "an index"
            raise config_error(("rerankings", way), f"{taken} has this name; choose another.")
        if isinstance(block["candidates"], dict):
            check_files(config, ("rerankings", way, "candidates"), block["candidates"])
    for way, block in rerankings_of(config).items():
        check_depth(config, ("reranking",) if way == RERANK else ("rerankings", way), block)


def check_depth(config: dict, path: tuple, block: dict) -> None:
    """BM25 keeps as many results as are re-ranked."""
    bm25, depth = block["candidates"], block["depth"]
    if isinstance(bm25, str) and depth > config["bm25"][bm25]["depth"]:
        kept = config["bm25"][bm25]["depth"]
        raise config_error((*path, "depth"), f"found {depth}, but bm25.{bm25}.depth is {kept}.")


def check_files(config: dict, path: tuple, files: dict) -> None:
    """Every file is of a test set, and its checksum is one."""
    for test_set, block in files.items():
        if test_set not in config["test_sets"]:
            raise config_error((*path, test_set), f"is not one of {', '.join(config['test_sets'])}.")
        if block["md5"] is not None and not MD5.fullmatch(block["md5"]):
            raise config_error((*path, test_set, "md5"), f"found {block['md5']!r}, expected 32 digits of 0-9 and a-f.")
        if "://" in block["file"] and not is_url(block["file"]):
            message = f"found {block['file']!r}, expected a path or a URL with http or https."
            raise config_error((*path, test_set, "file"), message)


def check_candidates(config: dict, path: tuple, way: str, test_sets: list[str]) -> None:
    """A system that re-ranks (at `path`, on these test sets) has candidates."""
    candidates = rerankings_of(config)[way]["candidates"]
    if candidates is None:
        row = ".".join(str(key) for key in path)
        message = f"missing, but {row} re-ranks; {choices('bm25', list(config['bm25']))}."
        raise config_error(("reranking", "candidates"), message)
    lacking = [test_set for test_set in test_sets if isinstance(candidates, dict) and test_set not in candidates]
    if lacking:
        message = f"{way} has candidates for {', '.join(candidates)}, not for {', '.join(lacking)}."
        raise config_error((*path, "way"), message)
