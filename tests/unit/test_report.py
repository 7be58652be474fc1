"""The report: what is in the page, that nothing in it can do harm, and that every number can be computed again."""

import hashlib
import json
import random
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import ir_measures
import numpy as np
import pytest

from stillroom.report.data import packed, unpacked
from stillroom.report.explorer import Explored, explore, fair_order, values_by_query
from stillroom.report.page import costs
from stillroom.report.provenance import provenance, read_costs
from stillroom.report.tables import read_figure, read_table


class Page(HTMLParser):
    """Elements of a page with their attributes, and what scripts and styles hold."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.texts.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.cdata_elem:
            self.texts[-1][2] += data

    def all(self, tag):
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self, name):
        """What is packed under a name."""
        return next(unpacked(text) for _, attributes, text in self.texts if attributes.get("id") == f"data-{name}")


@pytest.fixture(scope="module")
def files(tmp_path_factory, make_report_files):
    return make_report_files(tmp_path_factory.mktemp("made_up"))


@pytest.fixture(scope="module")
def report(files, tmp_path_factory, write_report):
    return write_report(tmp_path_factory.mktemp("report") / "report.html", files).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(report):
    return Page(report)


def test_ten_numbers_are_computed_again_from_the_runs_that_the_page_names(page):
    known = page.data("provenance")
    numbers = [cell for cell in page.all("td") if "data-source" in cell]
    for cell in random.Random(10).sample(numbers, 10):
        values = []
        for source in cell["data-source"].split():
            found = known["sources"][source]
            run, qrels = (found["data"][name][0] for name in ("run", "qrels"))
            measure = ir_measures.parse_measure(found["measures"][cell["data-measure"]])
            values.append(
                ir_measures.calc_aggregate(
                    [measure], ir_measures.read_trec_qrels(qrels), ir_measures.read_trec_run(run)
                )[measure]
            )
        assert float(cell["data-value"]) == pytest.approx(np.mean(values), abs=1e-9)


def test_the_page_loads_nothing_and_allows_its_own_script_and_style_only(page):
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    code = [(tag, text) for tag, attributes, text in page.texts if "type" not in attributes]
    assert [tag for tag, _ in code] == ["style", "script"]
    for tag, text in code:
        digest = re.fullmatch("'sha256-(.*)'", rules[f"{tag}-src"])[1]
        assert b64decode(digest) == hashlib.sha256(text.encode()).digest()
    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses and all(address.startswith(("data:", "#")) for address in addresses)


def test_markup_in_texts_stays_text(report, page, files):
    assert "owned" not in report
    scripts = page.all("script")
    assert [script for script in scripts if "type" not in script] == [{}]
    assert page.data("dev")["queries"] and "owned" in json.dumps(page.data("dev")) + json.dumps(page.data("dev-0"))
    assert page.data("dev")["systems"][0]["label"] == "Dot 0 <i>&</i>"


def test_the_same_files_give_the_same_page(report, files, tmp_path, write_report):
    assert write_report(tmp_path / "again.html", files).read_text(encoding="utf-8") == report


def test_a_report_before_anything_ran_is_refused_in_one_sentence(files, tmp_path, write_report):
    nothing = {name: [] if isinstance(content, list) else content for name, content in files.items()}
    with pytest.raises(ValueError, match=r"report\.html: nothing to report yet, expected a run that has been measured"):
        write_report(tmp_path / "report.html", nothing)
    assert not list(tmp_path.iterdir())


def test_tables_alone_are_a_report(files, tmp_path, write_report):
    tables = {**files, **{name: [] for name in ("figures", "metrics", "runs", "queries", "qrels", "passages")}}
    text = write_report(tmp_path / "report.html", tables).read_text(encoding="utf-8")
    assert 'id="table-main"' in text and 'id="queries"' not in text and 'id="figures"' not in text
    assert len(Page(text).data("provenance")["sources"]) == 6


def test_what_systems_find_is_in_the_page_with_grades_and_the_ranks_of_relevant_passages(page, files):
    index, block = page.data("graded"), page.data("graded-0")
    run = [line.split() for line in Path(files["runs"][5]).read_text(encoding="utf-8").splitlines()]
    qrels = [line.split() for line in Path(files["qrels"][1]).read_text(encoding="utf-8").splitlines()]
    for query_id, _ in index["queries"]:
        own = {line[2]: (int(line[3]), float(line[4])) for line in run if line[0] == query_id}
        found, names = block["queries"][query_id], [name for name, _ in block["passages"]]
        shown = {names[passage]: score for passage, score in found["runs"][2]}
        first = sorted(own, key=lambda name: own[name][0])[:10]
        assert list(shown) == first
        assert list(shown.values()) == pytest.approx([own[name][1] for name in first], rel=1e-5)
        relevant = {names[passage]: ranks[2] for passage, ranks in found["relevant"]}
        judged = {line[2]: int(line[3]) for line in qrels if line[0] == query_id}
        assert relevant == {name: own.get(name, [None])[0] for name, grade in judged.items() if grade >= 2}
        assert {names[passage]: grade for passage, grade in found["grades"]}.items() <= judged.items()


def test_a_small_budget_takes_the_queries_that_differ_most_and_others_and_says_so(
    tmp_path, make_report_files, write_report
):
    files = make_report_files(tmp_path, queries=400)
    files["settings"]["megabytes"] = 0.1
    page = Page(write_report(tmp_path / "report.html", files).read_text(encoding="utf-8"))
    blocks = [attributes["id"] for attributes in page.all("script") if re.search(r"-\d+$", attributes.get("id", ""))]
    index = page.data("dev")
    shown = len(index["queries"])
    assert {name.split("-")[1] for name in blocks} == {"dev", "graded"}
    assert 50 <= shown < 400
    letters = [text for _, attributes, text in page.texts if re.match("data-(dev|graded)", attributes.get("id", ""))]
    assert len(letters) == len(blocks) + 2 and sum(map(len, letters)) < 1e5
    capped = next(each["data-capped"] for each in page.all("script") if each.get("id") == "data-dev")
    assert capped.startswith(f"{shown} of 400 queries, so that the page stays small")
    metrics = [json.loads(Path(path).read_text(encoding="utf-8")) for path in files["metrics"][:3]]
    values = values_by_query(metrics, [f"dev-q{row}" for row in range(400)])["RR@10"]
    spread = values.max(axis=1) - values.min(axis=1)
    ours = spread[[query_id for query_id, _ in index["queries"]]]
    assert spread.mean() < ours.mean() < spread.nlargest(shown).mean()


def test_the_order_of_queries_takes_turns(make_report_files, tmp_path):
    files = make_report_files(tmp_path, queries=40)
    metrics = [json.loads(Path(path).read_text(encoding="utf-8")) for path in files["metrics"][:3]]
    values = values_by_query(metrics, [f"dev-q{row}" for row in range(40)])
    order = fair_order(values)
    assert sorted(order) == sorted(values["RR@10"].index)
    spread = values["RR@10"].max(axis=1) - values["RR@10"].min(axis=1)
    assert spread[order[0]] == spread.max()


def test_long_passages_are_cut_visibly(tmp_path, make_report_files, write_texts):
    files = make_report_files(tmp_path, queries=2)
    texts = {f"p{row}": "many words " * 400 for row in range(200)}
    write_texts(tmp_path / "passages.parquet", "passage_id", texts)
    explored = Explored(
        "dev",
        files["queries"][0],
        files["qrels"][0],
        files["passages"][0],
        [{"system": "a", "label": "A"}],
        files["metrics"][:1],
        files["runs"][:1],
    )
    (found,) = explore([explored], passages=3, megabytes=1)
    texts = [text for _, text in unpacked(found.blocks[0])["passages"]]
    assert texts and all(1_900 < len(text) <= 2_002 and text.endswith(" …") for text in texts)


def test_provenance_goes_back_to_all_steps_and_no_others(files, page):
    known = page.data("provenance")
    source = known["sources"][files["metrics"][0]]
    assert [known["steps"][place]["rule"] for place in source["steps"]] == ["retrieve", "measure"]
    digest = hashlib.sha256(Path(files["runs"][0]).read_bytes()).hexdigest()[:16]
    assert source["data"]["run"] == [files["runs"][0], digest]
    assert source["measures"]["RR@10"] == "RR@10"
    assert known["sources"][files["metrics"][3]]["measures"]["RR@10"] == "RR(rel=2)@10"
    assert source["facts"]["test_set"] == "dev" and source["facts"]["queries"] == 12
    search = known["steps"][source["steps"][0]]
    assert (search["seconds"], search["gigabytes"], search["settings"]) == (90.5, 1.572864, "depth: 20")  # 1,500 MiB
    assert search["gpu_hours"] == pytest.approx(2 * 90.5 / 3600)
    assert known["machines"][search["machine"]]["processor"] == "Abacus"
    other = {**files["steps"][0], "outputs": ["elsewhere"]}
    assert provenance(files["metrics"], [*files["steps"], other]) == known


def test_numbers_may_be_of_runs_and_folders(files):
    known = provenance([files["runs"][0], "indexes/exact"], files["steps"])
    assert known["sources"]["indexes/exact"] == {"facts": {}, "measures": {}, "data": {}, "steps": []}
    assert [step["rule"] for step in known["steps"]] == ["retrieve"]


def test_what_was_not_timed_is_not_counted(tmp_path):
    assert read_costs(None) == read_costs(tmp_path / "missing.tsv") == {}
    (tmp_path / "quick.tsv").write_text("s\tmax_rss\n0.2\t-\n")
    assert read_costs(tmp_path / "quick.tsv") == {"s": 0.2}
    totals = {"timed": 2, "steps": 3, "seconds": 7200, "gigabytes": 1.25, "gpu_hours": None}
    assert "took 2 h 0 min one after the other (2 of 3 were timed)" in costs(totals)
    assert "GPU-hours were not recorded" in costs(totals)
    assert costs({**totals, "timed": 0}) == "How long the steps took was not recorded."


def test_a_table_is_embedded_with_its_sources_and_a_lower_heading(files):
    table = read_table(files["tables"][0])
    assert (table.name, table.title) == ("table-main", "All & everything")
    assert "<h3>All &amp; everything</h3>" in table.markup and "<h2>" not in table.markup
    assert sorted(table.sources) == sorted(files["metrics"])


def test_a_figure_has_its_own_words_or_its_files_name(files, tmp_path):
    figure = read_figure(files["figures"][0])
    assert figure[1:4] == ("Curves", "Two lines & a dot", True)
    (tmp_path / "recall_speed.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert read_figure(tmp_path / "recall_speed.svg")[1:4] == ("recall speed", "recall speed", False)


@pytest.mark.parametrize("read", [read_table, read_figure])
def test_a_broken_table_or_figure_is_named(read, tmp_path):
    (tmp_path / "broken").write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"broken: (found no <section class=\"table\"|not an SVG)"):
        read(tmp_path / "broken")


def test_packed_data_comes_back_and_is_letters_only():
    content = {"a": ["</script>", "é", 1.5, None]}
    assert unpacked(packed(content)) == content
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed(content))
