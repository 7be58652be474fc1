"""The report in a browser: it opens from disk, sorts, traces numbers, and puts systems side by side."""

import re

import pytest

PHONE = {"width": 375, "height": 667}


@pytest.fixture(scope="module")
def address(tmp_path_factory, make_report_files, write_report):
    """The report of a made-up experiment, as a file; among its texts is markup that would do harm."""
    folder = tmp_path_factory.mktemp("made_up")
    return write_report(folder / "report.html", make_report_files(folder, queries=60)).as_uri()


@pytest.fixture
def report(visit, address):
    """The open report, with a query's passages shown."""
    page = visit(address)
    page.wait_for_selector(".system li")
    return page


def column(page, place):
    """The texts of a column of the first table, from top to bottom."""
    return page.locator(f"#table-main tbody tr > :nth-child({place})").all_inner_texts()


def test_a_column_sorts_down_up_and_back_and_says_so(report):
    header = report.locator("#table-main thead th").nth(1)
    before = column(report, 2)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert column(report, 2) == sorted(before, reverse=True) != before
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert column(report, 2) == sorted(before)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") is None
    assert column(report, 2) == before


def test_labels_sort_by_the_keyboard(report):
    header = report.locator("#table-main thead th").first
    header.get_by_role("button").focus()
    report.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    report.keyboard.press("Space")
    assert column(report, 1) == sorted(column(report, 1), reverse=True)


def test_a_number_says_where_it_is_from(report):
    cell = report.locator("#table-main td button").nth(3)
    cell.focus()
    report.keyboard.press("Enter")
    dialog = report.get_by_role("dialog")
    dialog.wait_for()
    assert "RR(rel=2)@10" in dialog.locator("pre").first.inner_text()
    assert "runs/graded/dot_0/seed-1/exact.trec" in dialog.inner_text()
    dialog.locator("summary", has_text="retrieve").click()
    assert "Abacus, 2 cores" in dialog.inner_text() and "torch 2.13.0" in dialog.inner_text()
    report.keyboard.press("Escape")
    assert dialog.count() == 0
    assert cell.evaluate("cell => cell === document.activeElement")


def test_a_mean_over_seeds_names_all_its_runs(report):
    report.locator("#table-main tbody tr").last.get_by_role("button").first.click()
    assert report.get_by_role("dialog").locator("section").count() == 2


def test_three_systems_stand_side_by_side_with_ranks_scores_and_judgements(report):
    report.get_by_label("Third system").select_option("1")
    columns = report.locator(".system")
    assert columns.locator("h4").all_inner_texts() == ["Dot 0 <i>&</i>", "Dot 2 <i>&</i>", "Dot 1 <i>&</i>"]
    for place in range(3):
        items = columns.nth(place).locator("li")
        assert items.count() == 10
        assert items.locator(".rank").all_inner_texts() == [str(rank) for rank in range(1, 11)]
        scores = [float(text) for text in items.locator(".score").all_inner_texts()]
        assert scores == sorted(scores, reverse=True)
        assert set(items.locator(".grade").all_inner_texts()) <= {"not judged", "relevant, grade 1"}
    assert report.locator(".is-relevant").count() > 0


def test_words_of_the_query_are_marked_by_their_stems(report):
    report.get_by_label("Words in the query").fill("number 8")
    report.locator("button.query", has_text=re.compile("number 8$")).click()
    report.wait_for_function("document.querySelector('#explorer-answer h3').textContent.endsWith('number 8')")
    marked = {text.lower() for text in report.locator(".system mark").all_inner_texts()}
    assert {"sorting", "arrays"} <= marked <= {"sorting", "arrays", "word1", "8"}


def test_queries_are_found_where_systems_differ_most(report):
    report.get_by_label("Differ by at least").fill("0.5")
    differences = [float(text) for text in report.locator("#explorer-list td:last-child").all_inner_texts()]
    assert differences and all(abs(difference) >= 0.5 for difference in differences)
    assert differences == sorted(differences, key=abs, reverse=True)
    report.get_by_label("Order").select_option("behind")
    assert all("+" in text for text in report.locator("#explorer-list td:last-child").all_inner_texts())
    report.get_by_label("Words in the query").fill("nothing like this")
    assert report.locator("#explorer-count").inner_text() == "0 queries"


def test_pages_of_the_list_are_turned_and_another_test_set_is_opened(report):
    first = report.locator("button.query").all_inner_texts()
    assert report.get_by_role("button", name="Previous").is_disabled()
    report.get_by_role("button", name="Next").click()
    assert set(report.locator("button.query").all_inner_texts()).isdisjoint(first)
    assert report.locator("#explorer-count").inner_text() == "11–20 of 60 queries"
    report.get_by_label("Test set").select_option("graded")
    report.wait_for_function("document.querySelector('#explorer-answer code').textContent.startsWith('graded-q')")
    assert report.locator("#explorer-count").inner_text() == "1–10 of 60 queries"
    assert (
        "not relevant, grade" in report.locator("#explorer-answer").inner_text()
        or report.locator(".is-relevant").count()
    )


def test_markup_in_passages_queries_and_names_is_shown_as_text(report):
    report.get_by_label("Words in the query").fill("document.title")
    report.locator("button.query").first.click()
    heading = report.locator("#explorer-answer h3")
    report.wait_for_function("document.querySelector('#explorer-answer h3').textContent.includes('script')")
    assert heading.inner_text().startswith("</script><script>document.title = 'owned'</script><img")
    assert "about <b>sorting</b> arrays" in report.locator(".system .text").first.inner_text()
    assert report.title() == "made_up: report"
    assert report.locator("#explorer-answer :is(script, img, b, i)").count() == 0


def test_the_list_works_by_the_keyboard_and_the_answer_gets_the_focus(report):
    report.get_by_label("Words in the query").focus()
    report.keyboard.press("Tab")
    assert report.evaluate("document.activeElement.closest('.scroll') !== null")
    report.keyboard.press("Tab")
    chosen = report.evaluate("document.activeElement.textContent")
    report.keyboard.press("Enter")
    report.wait_for_function("document.activeElement.tagName === 'H3'")
    assert report.evaluate("document.activeElement.textContent") == chosen


def test_figures_have_alternative_texts(report):
    image = report.locator("#figures img")
    assert image.get_attribute("alt") == "Two lines & a dot"
    assert image.evaluate("image => image.naturalWidth") > 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_keeps_people_from_using_it(visit, address, violations, dark):
    page = visit(address, dark=dark)
    page.wait_for_selector(".system li")
    assert violations(page) == []
    page.locator("#table-main td button").first.click()
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit, address, violations):
    page = visit(address, size=PHONE)
    page.wait_for_selector(".system li")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page) == []
    lefts = {round(box["x"]) for box in map(lambda each: each.bounding_box(), page.locator(".system").all())}
    assert len(lefts) == 1
    page.locator("#table-main td button").first.click()
    box = page.get_by_role("dialog").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


STEMS = {
    "caresses": "caress", "ponies": "poni", "cats": "cat", "feed": "feed", "agreed": "agre", "plastered": "plaster",
    "motoring": "motor", "sing": "sing", "conflated": "conflat", "sized": "size", "hopping": "hop", "falling": "fall",
    "filing": "file", "happy": "happi", "sky": "sky", "relational": "relat", "rational": "ration",
    "hesitancy": "hesit", "digitizer": "digit", "conformably": "conform", "radically": "radic",
    "differently": "differ", "vietnamization": "vietnam", "operator": "oper", "feudalism": "feudal",
    "decisiveness": "decis", "hopefulness": "hope", "formality": "formal", "sensitivity": "sensit",
    "sensibility": "sensibl", "triplicate": "triplic", "formative": "form", "electrical": "electr", "goodness": "good",
    "revival": "reviv", "allowance": "allow", "airliner": "airlin", "adjustable": "adjust", "replacement": "replac",
    "adoption": "adopt", "communism": "commun", "bowdlerize": "bowdler", "probate": "probat", "rate": "rate",
    "cease": "ceas", "controll": "control", "roll": "roll", "analogy": "analog",
}  # fmt: skip


def test_stems_are_porters(report):
    """From the examples of his article, and one of each departure."""
    assert report.evaluate("words => words.map(stemOf)", list(STEMS)) == list(STEMS.values())


def test_words_are_cut_as_bm25_cuts_them(report):
    found = report.evaluate(
        "text => [...termsOf(text)]", "The Axes.plot isn't np.array's, it is sort_values and RE-ranking"
    )
    assert found == ["axes.plot", "isn't", "np.arrai", "sort_valu", "re", "rank"]
