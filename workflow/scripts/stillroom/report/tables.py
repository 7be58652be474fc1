"""The tables and figures of the report: what other steps wrote, made ready to stand in one page."""

import re
from html import unescape
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from stillroom.report.data import base64_of

SECTION = re.compile(r'<section class="table" id="(table-[^"]+)"[^>]*>(.*)</section>', re.DOTALL)
HEADING = re.compile(r"<h2\b[^>]*>(.*?)</h2>", re.DOTALL)
SOURCES = re.compile(r'<td\b[^>]*\bdata-source="([^"]+)"')
SVG = "{http://www.w3.org/2000/svg}"


class Table(NamedTuple):
    """A table as markup that is safe to embed, because its step has escaped it."""

    name: str
    title: str
    markup: str
    sources: list[str]  # the files that its numbers are from


class Figure(NamedTuple):
    """A picture, what it is called, and what it shows to those who cannot see it."""

    name: str
    title: str
    description: str
    base64: str


def read_table(path: str | Path) -> Table:
    """The section of a table's page, its heading one level lower: in the report it has a heading above it."""
    text = Path(path).read_text(encoding="utf-8")
    section = SECTION.search(text)
    heading = section and HEADING.search(section[2])
    if not heading:
        raise ValueError(f'{path}: found no <section class="table" id="table-…"> with an <h2>, expected one.')
    markup = section[0].replace(heading[0], heading[0].replace("<h2", "<h3").replace("</h2>", "</h3>"))
    files = " ".join(unescape(sources) for sources in SOURCES.findall(markup)).split()
    return Table(section[1], unescape(re.sub("<[^>]+>", "", heading[1])).strip(), markup, list(dict.fromkeys(files)))


def read_figure(path: str | Path) -> Figure:
    """A figure with the `<title>` and the `<desc>` that stand in the SVG; without, it is called by its file's name."""
    path = Path(path)
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: not an SVG, {error}.") from None
    title = (root.findtext(f"{SVG}title") or path.stem.replace("_", " ")).strip()
    description = (root.findtext(f"{SVG}desc") or title).strip()
    return Figure(path.stem, title, description, base64_of(path.read_bytes()))
