"""LaTeX of tables: what is escaped, and that it compiles."""

import re
import shutil
import subprocess

import pytest

from stillroom.latex_tables import SPECIAL, TYPOGRAPHIC, escape, latex

GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
ACCENTED = "äöüßéèêëçñåøœÉŠžŁ"
OTHERS = "☃中ςא😀\u200b\t"
ALL = "".join([*map(chr, range(32, 127)), *SPECIAL, *TYPOGRAPHIC, GREEK, ACCENTED, OTHERS])
AT_THE_START = [
    "[CLS] pooling",
    "* starred",
    "--option",
    "-- target",
    "\\begin{x}",
    "%",
    "''",
    "& more",
    "~x^2_a",
    "#1",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5% $x #1 {y} ≤ – †", r"a\_b \& 5\% \$x \#1 \{y\} $\leq$ -- \textdagger{}"),
        ("> 100 < \\ ~ ^", r"$>$ 100 $<$ \textbackslash{} \textasciitilde{} \textasciicircum{}"),
        ("[CLS] * |", r"{[}CLS{]} {*} \textbar{}"),
        ("snakemake -- all", "snakemake -{}- all"),
        (".712 ± .004 × − Δ τ β", r".712 $\pm$ .004 $\times$ $-$ $\Delta$ $\tau$ $\beta$"),
        ("Touché, Kołcz", "Touché, Kołcz"),
        ("☃", "(U+2603)"),
        ("a\tb", "a b"),
        ("", ""),
    ],
)
def test_text_is_escaped(text, expected):
    assert escape(text) == expected


def test_what_is_escaped_has_no_character_that_latex_does_not_know_and_no_open_brace():
    for character in ALL:
        text = escape(character)
        plain = re.sub(r"\\[{}]", "", text)
        assert plain.count("{") == plain.count("}") and text.count("$") % 2 == (character == "$")
        assert all(" " <= letter <= "~" or letter.isalpha() for letter in text), (character, text)


def test_a_row_that_begins_with_a_bracket_or_a_star_is_no_option_of_the_line_before():
    text = latex("A", [("[CLS]",), ("*",)], [["pooling"], ["MRR@10"]], [[(".1", True)], [(".2", False)]], [])
    assert "\\\\\n[" not in text and "\\\\\n*" not in text and r"{[}CLS{]} & \textbf{.1} \\" in text


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """A function that compiles tables with pdflatex and returns its log."""
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex: apt-get install texlive-latex-recommended")
    folder = tmp_path_factory.mktemp("latex")

    def compile_tables(*tables):
        body = "\n".join(tables)
        document = (
            f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
        )
        (folder / "tables.tex").write_text(document, encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        return (folder / "tables.log").read_text(errors="replace")

    return compile_tables


def test_tables_with_every_character_compile_without_a_missing_one(compiled):
    labels = [*((start, "b") for start in AT_THE_START), *((character * 2, character) for character in ALL)]
    cells = [[(".712 ± .004 *", True), ("not comparable", False)] for _ in labels]
    tables = [
        latex(f"Table {ALL}", labels[start : start + 30], [["a", "b"], ["c%", "d_1"]], cells[start : start + 30], [ALL])
        for start in range(0, len(labels), 30)
    ]
    log = compiled(*tables)
    assert "Missing character" not in log and "Undefined" not in log
