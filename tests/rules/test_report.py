"""The report: what it is made from, that it starts nothing, and what it says of nothing."""

import re
import shutil

RESULTS = "results/pydocs"


def test_a_report_before_anything_ran_ends_with_one_sentence(project):
    status, text = project.snakemake("--cores", "1", "--", "report")
    assert status != 0
    said = [line for line in text.splitlines() if "nothing to report" in line]
    sentence = "nothing to report yet, expected a run that has been measured; the target all makes them all, and the"
    assert said == [f"ValueError: {RESULTS}/report.html: {sentence} name of a file makes that one."]
    assert not (project.folder / RESULTS / "report.html").exists()


def test_a_report_of_what_has_run_starts_nothing_else(finished):
    shutil.rmtree(finished.folder / RESULTS / "rankers" / "tas_b")
    shutil.rmtree(finished.folder / RESULTS / "runs" / "dev" / "tas_b")
    shutil.rmtree(finished.folder / RESULTS / "metrics" / "dev" / "tas_b")
    shutil.rmtree(finished.folder / RESULTS / "metrics" / "graded")
    rules = set(finished.plan("--", "report").rules)
    assert {"make_report", "report"} <= rules
    assert all(rule.startswith(("make_", "plot_", "report")) for rule in rules)


def test_a_style_a_script_and_the_template_make_the_report_anew_and_nothing_else(finished):
    finished.finish("report")
    assert finished.plan("--", "report").jobs == []
    for file in ("page.css", "explorer.js", "page.html"):
        finished.append(f"workflow/scripts/stillroom/report/{file}", "")
        assert finished.plan("--", "report").rules == {"make_report": 1, "report": 1}
        finished.finish("report")


def test_the_systems_of_the_explorer_can_be_chosen(project):
    project.configure({"report": {"systems": ["tas_b/seed-1/exact", "bm25"]}})
    text = project.plan("--", f"{RESULTS}/report.html").text
    inputs = re.search(r"rule make_report:\n    input: (.*)\n", text)[1]
    runs = re.findall(r"runs/(\S+)\.trec", inputs)
    assert runs == [f"{test_set}/{run}" for test_set in ("dev", "graded") for run in ("bm25", "tas_b/seed-1/exact")]
    assert re.findall(r"metrics/(\S+)\.json", inputs) == runs
