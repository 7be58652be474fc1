"""What tools put into the pages: tables, figures and costs of results/."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
PAGE = """Text before.
<!-- table tiny/main -->
old table
<!-- end of table tiny/main -->
<!-- figure tiny/gains-main-dev -->
<!-- end of figure tiny/gains-main-dev -->
<!-- table other/main -->
other table
<!-- end of table other/main -->

| experiment | steps |
|---|---|
<!-- costs measured -->
| `tiny` | old |
| `other` | 3 |
<!-- end of costs measured -->
Text after.
"""


@pytest.fixture(scope="module")
def tool():
    """A function that imports a tool by its name."""

    def load(name):
        sys.path.insert(0, str(TOOLS))
        try:
            spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
        finally:
            sys.path.remove(str(TOOLS))

    return load


@pytest.fixture
def results(tmp_path):
    """Results of an experiment with a table, a figure and three steps, of which two overlap."""
    folder = tmp_path / "results" / "tiny"
    for name, text in (
        ("tables/main.md", "### A table\n\n| a |\n|---|\n"),
        (
            "figures/gains-main-dev.svg",
            '<svg xmlns="http://www.w3.org/2000/svg"><desc>Gains &amp;\n [losses].</desc></svg>',
        ),
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    steps = (
        ("rankers/a/seed-1", 7200, 10_000, "2000", "100"),
        ("runs/a", 3600, 9_000, "4000", "-"),
        ("c", 60, 99_000, "NA", "1"),
    )
    for name, seconds, ended, memory, cpu in steps:
        path = folder / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEAD}{seconds}\t-\t{memory}\t-\t-\t-\t0\t0\t0\t{cpu}\n")
        os.utime(path, (ended, ended))
    return folder


def test_costs_are_those_of_the_benchmark_files(tool, results):
    big = results / "indexes" / "index"
    big.parent.mkdir()
    big.write_bytes(bytes(3_000_000))
    big.with_name("same").hardlink_to(big)
    cells = [cell.strip() for cell in tool("costs").row(results).strip("|").split("|")]
    assert cells == [
        "`tiny`",
        "3",
        "2.0 h",  # 7,200 s with 3,600 of another step within, and a minute later
        "2 min",
        "rankers/a/seed-1, 2.0 h",
        "runs/a, 4.2 GB",
        "3 MB",
    ]


def test_a_folder_without_steps_is_one_sentence(tool, tmp_path):
    with pytest.raises(SystemExit, match="no benchmark file here; run the experiment first"):
        tool("costs").row(tmp_path)


def test_what_has_been_made_stands_in_the_page_and_the_rest_as_it_was(tool, results, tmp_path, capsys):
    update = tool("update_readme").updated
    text = update(PAGE, tmp_path / "README.md", tmp_path)
    assert text.splitlines()[:8] == [
        "Text before.",
        "<!-- table tiny/main -->",
        "### A table",
        "",
        "| a |",
        "|---|",
        "<!-- end of table tiny/main -->",
        "<!-- figure tiny/gains-main-dev -->",
    ]
    assert "\n![Gains & losses .](docs/figures/tiny-gains-main-dev.svg)\n<!-- end of figure" in text
    assert (tmp_path / "docs/figures/tiny-gains-main-dev.svg").exists()
    assert "\nother table\n" in text and "\n| `other` | 3 |\n" in text
    assert "| `tiny` | 3 | 2.0 h |" in text and "| `tiny` | old |" not in text
    assert text.endswith("\nText after.\n")
    assert "other/tables/main.md: not there, so that README.md stays as it is." in capsys.readouterr().out
    assert update(text, tmp_path / "README.md", tmp_path) == text


def test_speeds_are_those_of_the_last_benchmark(tool, tmp_path):
    page = "<!-- speeds a_machine -->\n<!-- end of speeds a_machine -->\n"
    path = tmp_path / "results" / "benchmarks" / "a_machine.csv"
    path.parent.mkdir(parents=True)
    path.write_text("stage,ours,peer,peer_name,unit,ratio\nencode,3,2,another,passages/s,1.500\n")
    text = tool("update_readme").updated(page, tmp_path / "docs" / "speed.md", tmp_path)
    assert text.splitlines()[1:-1] == [
        "| stage | beside | ours | peer | unit | ratio |",
        "| --- | --- | ---: | ---: | --- | ---: |",
        "| encode | another | 3 | 2 | passages/s | 1.500 |",
    ]


def test_a_figure_on_a_page_of_docs_is_linked_from_there(tool, results, tmp_path):
    text = tool("update_readme").updated(PAGE, tmp_path / "docs" / "demo.md", tmp_path)
    assert "(figures/tiny-gains-main-dev.svg)" in text
