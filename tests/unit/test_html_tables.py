"""Tables as HTML: a page that ends with one section, in which nothing is markup that was text."""

import math
from html.parser import HTMLParser

import pytest

from stillroom.html_tables import Column, Number, page

EVIL = '<script>alert("x")</script> & </table>'


class Reader(HTMLParser):
    """The tags with their attributes, the texts of cells, and which tags are open."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self.open.append(tag)
        if tag in ("td", "th", "li", "h2", "title"):
            self.texts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th", "li", "h2", "title"} & {*self.open}:
            self.texts[-1] += data


@pytest.fixture
def read():
    """A function that makes a page and reads it."""

    def read(**changes):
        parts = {
            "name": "main",
            "title": "Main",
            "labels": ["system"],
            "columns": [Column("dev MRR@10"), Column("short", ("q1", "q2"))],
            "lines": [
                (
                    ("BM25",),
                    [Number(".546", 0.5461234567, False, "", ("a/b.json", "c.json"), "RR(rel=2)@10"), Number("")],
                ),
                (("Dot",), [Number(".609", 0.609, True), Number("+.01", 0.01, kind="above")]),
            ],
            "notes": ["A note."],
        }
        text = page(**(parts | changes))
        reader = Reader()
        reader.feed(text)
        return reader, text

    return read


def test_a_page_is_complete_and_ends_with_one_section(read):
    reader, text = read()
    assert text.startswith("<!doctype html>\n") and text.endswith("</section>\n")
    assert text.count("<section") == text.count("</section>") == 1
    assert '<section class="table" id="table-main"' in text
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("thead") == tags.count("tbody") == tags.count("table") == tags.count("h2") == 1
    assert ("meta", {"charset": "utf-8"}) in reader.tags and "viewport" in text
    assert set(reader.open) == {"html", "body"}  # whose end tags may be left out


def test_cells_carry_the_number_in_full_and_what_it_is_made_of(read):
    reader, _ = read()
    first, blank, best, above = (found for tag, found in reader.tags if tag == "td")
    assert first == {
        "data-value": "0.5461234567",
        "data-source": "a/b.json c.json",
        "data-measure": "RR(rel=2)@10",
    }
    assert blank == {} and best == {"data-value": "0.609"} and above["class"] == "above"
    scopes = [found["scope"] for tag, found in reader.tags if tag == "th"]
    assert scopes == ["col", "col", "col", "row", "row"]
    queries = [found.get("data-queries") for tag, found in reader.tags if tag == "th"]
    assert queries == [None, None, "q1 q2", None, None]


def test_a_number_that_is_not_there_has_no_value(read):
    reader, _ = read(lines=[(("a",), [Number("–", math.nan), Number("", None)])])
    assert [found for tag, found in reader.tags if tag == "td"] == [{}, {}]


def test_texts_are_texts_wherever_they_stand(read):
    reader, text = read(
        title=EVIL,
        labels=[EVIL],
        columns=[Column(EVIL)],
        lines=[((EVIL,), [Number(EVIL, 1.0, True, "", (f'"{EVIL}',), EVIL)])],
        notes=[EVIL],
    )
    assert "script" not in {tag for tag, _ in reader.tags} and "<script" not in text
    assert reader.texts == [EVIL] * 7  # title, headline, both headers, label, cell, note
