"""Put tables of results/ into the README and the other pages, between the lines that mark their places."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for place in re.findall(r"<!-- table (\w+/\w+) -->", text):
            text = with_table(text, place)
        page.write_text(text, encoding="utf-8")


def with_table(text: str, place: str) -> str:
    """The page with the table `<experiment>/<table>`, as it was where that has not been made."""
    experiment, name = place.split("/")
    path = ROOT / f"results/{experiment}/tables/{name}.md"
    if not path.exists():
        print(f"{path}: not there, so that table stays as it is.")
        return text
    begin, end = f"<!-- table {place} -->", f"<!-- end of table {place} -->"
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{path.read_text(encoding='utf-8').strip()}\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    main()
