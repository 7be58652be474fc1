"""Tables as LaTeX with booktabs, which pdflatex compiles whatever characters occur."""

import unicodedata
from collections.abc import Iterable, Sequence

# Characters that mean something to LaTeX, at least at the beginning of a row: `[` and `*` after `\\`.
SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "<": "$<$",
    ">": "$>$",
}
TYPOGRAPHIC = {
    "–": "--",
    "—": "---",
    "−": "$-$",
    "…": r"\ldots{}",
    "†": r"\textdagger{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\u00a0": "~",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "∞": r"$\infty$",
    "∈": r"$\in$",
    "∪": r"$\cup$",
    "∩": r"$\cap$",
    "√": r"$\surd$",
    "°": r"$^\circ$",
    "²": r"$^2$",
    "³": r"$^3$",
    "µ": r"$\mu$",
}
SMALL = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega"
)
CAPITAL = "gamma delta theta lambda xi pi sigma upsilon phi psi omega"  # the others have no command
ACCENTS = {"GRAVE ACCENT", "ACUTE ACCENT", "CIRCUMFLEX ACCENT", "TILDE", "DIAERESIS", "CEDILLA", "CARON", "RING ABOVE"}
LETTERS = "ßæÆœŒøØłŁ"  # beside those with accents
LIGATURES = {"--", "''", "``", "!`", "?`"}  # two characters that LaTeX makes one of


def latex(
    title: str,
    labels: Sequence[Sequence[str]],
    headers: Sequence[Sequence[str]],
    cells: Sequence[Sequence[tuple[str, bool]]],
    notes: Sequence[str],
) -> str:
    """A booktabs table: headers of the labels and of the numbers, of which the marked ones are in bold."""
    rows = [
        [*map(escape, names), *(rf"\textbf{{{escape(text)}}}" if best else escape(text) for text, best in row)]
        for names, row in zip(labels, cells, strict=True)
    ]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        rf"\caption{{{escape(title)}}}",
        rf"\begin{{tabular}}{{{'l' * len(headers[0])}{'r' * len(headers[1])}}}",
        r"\toprule",
        line(map(escape, [*headers[0], *headers[1]])),
        r"\midrule",
        *map(line, rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\small {escape(note)}" for note in notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def line(cells: Iterable[str]) -> str:
    """One line of a table."""
    return " & ".join(cells) + r" \\"


def escape(text: str) -> str:
    """Text for LaTeX; a character that no usual font has is named by its number."""
    return "".join(
        escaped(character) + ("{}" if character + after in LIGATURES else "")
        for character, after in zip(text, text[1:] + " ", strict=False)
    )


def escaped(character: str) -> str:
    """One character for LaTeX."""
    known = SPECIAL | TYPOGRAPHIC
    if character in known:
        return known[character]
    if " " <= character <= "~" or character in LETTERS or is_accented(character):
        return character
    return greek(character) or (" " if character.isspace() else f"(U+{ord(character):04X})")


def is_accented(character: str) -> bool:
    """Whether it is a Latin letter with one of the usual accents."""
    base, *marks = unicodedata.normalize("NFD", character)
    names = {unicodedata.name(mark, "").removeprefix("COMBINING ") for mark in marks}
    return base.isascii() and base.isalpha() and len(marks) == 1 and names <= ACCENTS


def greek(character: str) -> str | None:
    """The command of a Greek letter."""
    _, _, name = unicodedata.name(character, "").lower().partition("greek ")
    size, _, letter = name.replace("lamda", "lambda").partition(" letter ")
    if size == "small" and letter in SMALL.split():
        return rf"$\{letter}$"
    return rf"$\{letter.capitalize()}$" if size == "capital" and letter in CAPITAL.split() else None
