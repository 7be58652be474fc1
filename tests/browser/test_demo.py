"""The page of side-by-side search in a real browser; the systems answer what is made up here."""

import re
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from werkzeug.serving import make_server

from stillroom.demo.app import Corpus, create_app
from stillroom.demo.engine import Answer
from stillroom.demo.passages import Passage, Passages
from stillroom.demo.systems import System

EVIL = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\"></script>"
TEXTS = {
    "p1": "To sort an array, sort its values.",
    "p2": EVIL,
    "p3": "A very long passage. " * 60,
    "p4": "Nothing about arrays.",
}
FOUND = {"bm25": ["p1", "p2"], "dot/seed-1/exact": ["p3", "p1", "p4"], "tas_b/seed-1/exact": ["p1", "p3"]}


def answer(system, query):
    """What a made-up system finds; the third query is slow for one of them, the fourth fails."""
    if query == "slow" and system.bm25:
        time.sleep(1)
    if query == "worse" and system.bm25:
        raise RuntimeError("Lucene failed on the query.")
    found = [] if query == "nothing" and system.bm25 else FOUND[system.name]
    passages = [(Passage(name, TEXTS[name]), 10.0 - place) for place, name in enumerate(found)]
    return Answer(passages, None if system.bm25 else 8.25, 1.5)


@pytest.fixture
def address(tmp_path):
    """Where the page is served."""
    pq.write_table(pa.table({"passage_id": list(TEXTS), "text": list(TEXTS.values())}), tmp_path / "passages.parquet")
    bm25 = System("bm25", "BM25", "pydocs", tmp_path, bm25={"k1": 0.9, "b": 0.4, "fields": None})
    dot = System(
        "dot/seed-1/exact", "BERT_Dot", "pydocs", tmp_path, model_folder=tmp_path / "dot" / "s", is_trained=True
    )
    tas_b = dot._replace(name="tas_b/seed-1/exact", label=f"TAS-B {EVIL}", model_folder=tmp_path / "tas_b" / "s")
    passages, examples = Passages(tmp_path / "passages.parquet"), ["sort an array", "what <b>is</b> it"]
    corpus = Corpus([bm25, dot, tas_b], [dot._replace(name="dot/seed-2/exact")], passages, examples)
    server = make_server("127.0.0.1", 0, create_app("made_up", {"pydocs": corpus}, answer), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def search(page, query):
    """Type a query, press Enter and wait for all answers."""
    page.get_by_label("Query", exact=True).fill(query)
    page.keyboard.press("Enter")
    page.get_by_text("systems answered").wait_for()


def column(page, name):
    return page.get_by_role("region", name=re.compile(name))


def test_three_systems_answer_side_by_side_with_their_times(visit, address):
    page = visit(address)
    search(page, "how to sort arrays")
    assert page.get_by_role("status").inner_text() == "3 of 3 systems answered."
    boxes = [section.bounding_box() for section in page.get_by_role("region").all()]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes}) == 1 and boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert "search 1.5 ms" in column(page, "BM25").inner_text() and "encode" not in column(page, "BM25").inner_text()
    assert "encode 8.3 ms, search 1.5 ms" in column(page, "BERT_Dot").inner_text()
    first = column(page, "BERT_Dot").get_by_role("listitem").nth(1)
    assert "p1" in first.inner_text() and "also A 1, C 1" in first.inner_text()
    assert "only here" in column(page, "BERT_Dot").get_by_role("listitem").nth(2).inner_text()
    assert column(page, "BM25").locator("mark").all_inner_texts() == ["sort", "array", "sort"]  # arrays: one stem


def test_what_looks_like_markup_is_shown_as_text(visit, address):
    page = visit(address)
    search(page, "<script>alert(1)</script>")
    assert EVIL in column(page, "BM25").get_by_role("listitem").nth(1).inner_text()
    assert EVIL in column(page, "TAS-B").get_by_role("heading").inner_text()
    assert page.title() == "made_up: side-by-side search"
    assert page.locator("main script, main img").count() == 0
    assert page.get_by_role("button", name="what <b>is</b> it").count() == 1


def test_it_works_with_the_keyboard_alone(visit, address):
    page = visit(address)
    page.keyboard.type("sort")  # the field has the focus
    page.keyboard.press("Tab")  # the button
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # an example
    page.get_by_text("3 of 3 systems answered").wait_for()
    assert page.get_by_label("Query", exact=True).input_value() == "sort an array"
    for _ in range(3):
        page.keyboard.press("Tab")  # the other example, the list of systems, its first box
    page.keyboard.press("Space")
    page.get_by_label("Query", exact=True).press("Enter")
    page.get_by_text("2 of 2 systems answered").wait_for()
    assert column(page, "BM25").count() == 0
    more = column(page, "BERT_Dot").get_by_role("button", name="the whole passage")
    more.press("Enter")
    assert more.count() == 0
    assert TEXTS["p3"].strip() in column(page, "BERT_Dot").inner_text()


def test_an_empty_answer_and_a_failure_are_said_in_their_columns(visit, address):
    page = visit(address)
    search(page, "nothing")
    assert "No passage has a word of the query." in column(page, "BM25").inner_text()


def test_a_failure_leaves_the_other_answers(chromium, address):
    page = chromium.new_page()  # Chromium writes a line about the status 500, which `visit` would not allow
    page.goto(address)
    search(page, "worse")
    assert "Lucene failed on the query." in column(page, "BM25").inner_text()
    assert page.get_by_role("status").inner_text() == "2 of 3 systems answered; what went wrong stands in the others."
    page.close()


def test_a_late_answer_to_an_earlier_query_is_not_shown(visit, address):
    page = visit(address)
    page.get_by_label("Query", exact=True).fill("slow")
    page.keyboard.press("Enter")
    search(page, "nothing")
    page.wait_for_timeout(1500)
    assert "No passage" in column(page, "BM25").inner_text()
    assert column(page, "BM25").get_by_role("listitem").count() == 0


def test_a_search_can_be_kept_and_comes_back_with_its_address(visit, address):
    page = visit(address)
    page.get_by_label("BM25").uncheck()
    search(page, "sort an array")
    again = visit(page.url)
    again.get_by_text("2 of 2 systems answered").wait_for()
    assert again.get_by_label("Query", exact=True).input_value() == "sort an array"
    assert not again.get_by_label("BM25").is_checked()


def test_no_system_chosen_is_said(visit, address):
    page = visit(address)
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_label("Query", exact=True).fill("sort")
    page.keyboard.press("Enter")
    page.get_by_text("Choose a system.").wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_that_keeps_people_from_using_it(dark, visit, address, violations):
    page = visit(address, dark=dark)
    assert violations(page) == []
    search(page, "how to sort arrays")
    assert violations(page) == []
    assert {
        landmark for landmark in ("banner", "main", "contentinfo", "search") if page.get_by_role(landmark).count()
    } == {
        "banner",
        "main",
        "contentinfo",
        "search",
    }


def test_on_a_phone_columns_stand_below_each_other_and_nothing_runs_out_of_the_page(visit, address):
    page = visit(address, size={"width": 375, "height": 667})
    search(page, "how to sort arrays")
    assert column(page, "BM25").bounding_box()["y"] < 667 / 2  # not far below what is typed
    boxes = [section.bounding_box() for section in page.get_by_role("region").all()]
    assert len({box["x"] for box in boxes}) == 1 and boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
