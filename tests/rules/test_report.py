"""The report: what it is made from, that it starts nothing, and what it says of nothing."""

import shutil

RESULTS = "results/pydocs"


def test_a_report_before_anything_ran_ends_with_one_sentence(project):
    status, text = project.snakemake("--cores", "1", "--", "report")
    assert status != 0
    said = [line for line in text.splitlines() if "nothing to report" in line]
    sentence = "nothing to report yet, expected a table, a figure or a measured run; the target all makes them, and"
    assert said == [f"ValueError: {RESULTS}/report.html: {sentence} the name of any file makes that file."]
    assert not (project.folder / RESULTS / "report.html").exists()


def test_a_report_of_what_has_run_starts_nothing_else(finished):
    shutil.rmtree(finished.folder / RESULTS / "rankers" / "tas_b")
    shutil.rmtree(finished.folder / RESULTS / "runs" / "dev" / "tas_b")
    shutil.rmtree(finished.folder / RESULTS / "metrics" / "dev" / "tas_b")
    shutil.rmtree(finished.folder / RESULTS / "metrics" / "graded")
    (finished.folder / RESULTS / "report.html").unlink(missing_ok=True)
    assert finished.plan("--", "report").rules == {"make_report": 1, "report": 1}


def test_a_style_a_script_and_the_template_make_the_report_anew_and_nothing_else(finished):
    finished.finish("report")
    assert finished.plan("--", "report").jobs == []
    for file in ("page.css", "explorer.js", "page.html"):
        finished.append(f"workflow/scripts/stillroom/report/{file}", "")
        assert finished.plan("--", "report").rules == {"make_report": 1, "report": 1}
        finished.finish("report")


def test_the_systems_of_the_explorer_can_be_chosen(project):
    project.configure({"report": {"systems": ["tas_b/seed-1/exact", "bm25"]}})
    plan = project.plan("--", f"{RESULTS}/report.html")
    own = "results/pydocs/metrics"
    needed = next(job for job in plan.text.split("\n\n") if "rule make_report" in job)
    assert f"{own}/dev/tas_b/seed-1/exact.json" in needed and f"{own}/graded/bm25.json" in needed
    assert "bert_cat" not in needed.split("output:")[0].replace("tables/", "")
