"""Put the tables of the default experiment into the README, between the lines that mark their places."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "results/pydocs/tables"


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name in re.findall(r"<!-- table (\w+) -->", text):
        table = (TABLES / f"{name}.md").read_text(encoding="utf-8").strip()
        begin, end = f"<!-- table {name} -->", f"<!-- end of table {name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
