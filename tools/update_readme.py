"""Put tables, figures, costs and speeds of results/ into the README and the other pages, between marked lines.

A figure is copied to docs/figures/, since results/ is no part of the checkout.
"""

import csv
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

from costs import row

ROOT = Path(__file__).parent.parent
NUMBERS = ["ours", "peer", "unit", "ratio"]
DESCRIPTION = "{http://www.w3.org/2000/svg}desc"


def main() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        page.write_text(updated(page.read_text(encoding="utf-8"), page), encoding="utf-8")


def updated(text: str, page: Path, root: Path = ROOT) -> str:
    """The text of a page with what has been made; what has not stays as it was."""
    for kind, make in (("table", table), ("figure", figure), ("costs", costs), ("speeds", speeds)):
        for name in re.findall(rf"<!-- {kind} ([\w/-]+) -->", text):
            begin, end = f"<!-- {kind} {name} -->\n", f"<!-- end of {kind} {name} -->"
            before, _, rest = text.partition(begin)
            old, _, after = rest.partition(end)
            text = f"{before}{begin}{make(name, old, page, root)}{end}{after}"
    return text


def table(name: str, old: str, page: Path, root: Path) -> str:
    """The table `<experiment>/<table>`."""
    experiment, _, file = name.partition("/")
    path = root / f"results/{experiment}/tables/{file}.md"
    return path.read_text(encoding="utf-8").strip() + "\n" if is_there(path, page) else old


def figure(name: str, old: str, page: Path, root: Path) -> str:
    """A link to the copy of the figure `<experiment>/<figure>`, and its description for those who see none."""
    experiment, _, file = name.partition("/")
    path = root / f"results/{experiment}/figures/{file}.svg"
    if not is_there(path, page):
        return old
    copy = root / "docs" / "figures" / f"{experiment}-{file}.svg"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    words = re.sub(r"[\[\]\s]+", " ", ElementTree.parse(path).findtext(f".//{DESCRIPTION}", "")).strip()
    return f"![{words}]({copy.relative_to(page.parent)})\n"


def costs(name: str, old: str, page: Path, root: Path) -> str:
    """The rows of a table of costs, new ones for experiments that have run here; each begins with a name."""
    return "".join(costs_line(line, page, root) for line in old.splitlines(keepends=True))


def costs_line(line: str, page: Path, root: Path) -> str:
    """A line of such a table."""
    experiment = re.match(r"\| `(\w+)` \|", line)
    folder = root / "results" / experiment[1] if experiment else None
    return f"{row(folder)}\n" if folder and is_there(folder / "benchmarks", page) else line


def speeds(name: str, old: str, page: Path, root: Path) -> str:
    """What `make benchmark` has found on a machine, as a table."""
    path = root / f"results/benchmarks/{name}.csv"
    if not is_there(path, page):
        return old
    with open(path, newline="", encoding="utf-8") as file:
        lines = [[each["stage"], each["peer_name"], *map(each.get, NUMBERS)] for each in csv.DictReader(file)]
    head = [["stage", "beside", *NUMBERS], ["---", "---", "---:", "---:", "---", "---:"]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [*head, *lines])


def is_there(path: Path, page: Path) -> bool:
    """Whether it has been made; said, where not."""
    if not path.exists():
        print(f"{path}: not there, so that {page.name} stays as it is.")
    return path.exists()


if __name__ == "__main__":
    main()
