"""Docstrings as text: the summary, the rest as one line of plain English, and the names under "See Also".

Understands numpydoc sections, Google style and reStructuredText as far as the libraries of pydocs use them.
Code, formulas set apart, examples and references go: a passage should be found by its words.
"""

import re
from typing import NamedTuple

MIN_SUMMARY_WORDS = 3
MAX_SUMMARY_WORDS = 40  # a longer "sentence" is a list or a table that lost its line breaks

UNDERLINE = re.compile(r"^\s*[-=~^]{3,}\s*$")
RULE = re.compile(r"^[\s\-=+~^|_*#.]*$")
DIRECTIVE = re.compile(r"^\s*\.\. ([\w-]+)::(.*)$")
MARKUP_BLOCK = re.compile(r"^\s*\.\.(\s|$)")  # comment, link target, footnote
FENCE = re.compile(r"^\s*```")
LABEL = re.compile(r"^\s*\**(examples?|usage|references?|reference implementation|citation)\**\s*::?\s*$", re.I)
PLACEHOLDER = re.compile(r"%\([\w:]+\)s")
TEMPLATE_LINE = re.compile(r"^\s*(\{\w*\}|%s)\s*$")
# What makes a summary no question: code, section labels, placeholders, one parameter's description, a notice.
NO_SUMMARY = re.compile(
    r">>>|```|::|\.\. |%\(|%s|\{\w*\}|\b(Args|Returns?|Parameters):"
    r"|^\W*\w+`? (\(.*?\):|: )|^(note|warning|todo|deprecated)\b|:$",
    re.IGNORECASE,
)
SPOKEN_WORD = re.compile(r"[(\"'`*]*[A-Za-z][A-Za-z'-]*[)\"'`*.,:;!?]*")
PARAGRAPH_BREAK = re.compile(r"^\s*(>>>|```|\.\. |[-*] |[A-Z][\w ]*::?\s*$)")
SIGNATURE = re.compile(r"^[\w.]+\(.*\)(\s*->.*)?$", re.S)
SENTENCE_END = re.compile(r"(?<=[^.\s]{2}[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<! vs\.)(?<! cf\.)\s+(?=[A-Z`\"'(])")
DROPPED_SECTIONS = frozenset({"examples", "example", "references", "methods", "see also"})
SPOKEN_DIRECTIVES = frozenset({"note", "warning", "important", "tip", "hint", "caution", "attention"})
ROLE_TARGET = re.compile(r":\w+(?::\w+)?:`([^`]*)`")
SEE_ALSO_NAME = re.compile(r"^[~.]?[A-Za-z_][\w.]*(\(\))?$")

INLINE = (
    (re.compile(r":\w+(?::\w+)?:`([^`]*?)\s*<[^`>]*>`"), r"\1"),  # :ref:`text <target>`
    (re.compile(r":\w+(?::\w+)?:`~?!?\.?([^`]*)`"), r"\1"),  # :func:`name`
    (re.compile(r"\s?\[[\w*#]+\]_(?!\w)"), ""),  # footnote marks
    (re.compile(r"`([^`<]*?)\s*<[^`>]*>`__?"), r"\1"),  # `text <address>`_
    (re.compile(r"\[([^\]]*)\]\([^)\s]*\)"), r"\1"),  # [text](address)
    (re.compile(r"\[`~?([^`\]]*)`\]"), r"\1"),  # [`name`]
    (re.compile(r"``?~?([^`]*)``?_{0,2}"), r"\1"),
    (re.compile(r"\*\*(\w[^*]*?)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*(\w[^*]*?)\*(?![\w*])"), r"\1"),
    (re.compile(r"</?(Tip|hfoptions?|br|p|ul|li|a|b|i|code|pre|small)\b[^<>]*>"), " "),
    (re.compile(r"\bsphx_glr_[\w.-]*\w"), "the example"),
    (re.compile(r"https?://\S+"), ""),
    (re.compile(r"::(?=\s|$)"), ":"),
    (re.compile(r"\\([*`_|])"), r"\1"),
    (re.compile(r"\\ |`"), ""),  # joined words, unpaired marks
    (re.compile(r"\s+"), " "),
)


class DocstringText(NamedTuple):
    """A docstring's parts: its first sentence, the rest, and the names it refers the reader to."""

    summary: str
    body: str
    see_also: tuple[str, ...]


class Section(NamedTuple):
    """A heading and the lines under it; the lines before the first heading have none."""

    heading: str | None
    lines: list[str]


def read_docstring(docstring: str) -> DocstringText | None:
    """The parts of a docstring that has no indentation of its own; None if its summary is not a sentence."""
    preamble, *sections = split_sections(docstring.split("\n"))
    summary, rest = split_summary(preamble.lines)
    if not is_sentence(summary):
        return None
    texts = [plain_text(rest)]
    for section in sections:
        if section.heading.lower() not in DROPPED_SECTIONS:
            text = plain_text(section.lines)
            texts.append(f"{section.heading}: {text}" if text else "")
    body = " ".join(text for text in texts if text)
    summary = inline_text(summary)
    return DocstringText(summary, without(summary, body), see_also_names(preamble, sections))


def split_sections(lines: list[str]) -> list[Section]:
    """The lines before the first underlined heading, then each heading with its lines."""
    sections = [Section(None, [])]
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if UNDERLINE.match(line) and sections[-1].heading and not sections[-1].lines:
            continue
        if line.strip() and UNDERLINE.match(below) and not RULE.match(line) and len(line.split()) <= 4:
            sections.append(Section(line.strip().rstrip(":"), []))
        else:
            sections[-1].lines.append(line)
    return sections


def split_summary(lines: list[str]) -> tuple[str, list[str]]:
    """The first sentence of the first paragraph on one line, and all lines after it.

    A paragraph that only repeats the call, as functions written in C have it, is passed over.
    """
    paragraph, rest = split_paragraph(lines)
    if SIGNATURE.match(" ".join(paragraph)):
        paragraph, rest = split_paragraph(rest)
    summary = ""
    for number, line in enumerate(paragraph, start=1):
        summary, *sentences = SENTENCE_END.split(f"{summary} {line.strip()}".strip(), maxsplit=1)
        if sentences:
            return summary, [*sentences, *paragraph[number:], *rest]
    return summary, rest


def split_paragraph(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines of the first paragraph, and those after it; a list, a label or code ends a paragraph too."""
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    end = start + 1
    while end < len(lines) and lines[end].strip() and not PARAGRAPH_BREAK.match(lines[end]):
        end += 1
    return lines[start:end], lines[end:]


def is_sentence(summary: str) -> bool:
    """Whether a summary is something a person could ask: words, not a template, a call or a list."""
    words = summary.split()
    if not MIN_SUMMARY_WORDS <= len(words) <= MAX_SUMMARY_WORDS:
        return False
    return not NO_SUMMARY.search(summary) and spoken_share(summary) >= 0.5


def spoken_share(text: str) -> float:
    """Share of a text's words that are plain words, not numbers, formulas or code."""
    words = text.split()
    return sum(bool(SPOKEN_WORD.fullmatch(word)) for word in words) / len(words)


def plain_text(lines: list[str]) -> str:
    """Lines of a docstring as one line of text, without code, directives, footnotes and rules."""
    kept = (line for line in without_blocks(lines) if not RULE.match(line) and not TEMPLATE_LINE.match(line))
    return inline_text(PLACEHOLDER.sub("", " ".join(kept)))


def inline_text(text: str) -> str:
    """Text without inline markup: roles, literals, emphasis, links and footnote marks become their words."""
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return text.strip()


def without_blocks(lines: list[str]) -> list[str]:
    """The lines that are prose; a block that is not ends where the indentation does, or its fence."""
    kept, number = [], 0
    while number < len(lines):
        line = lines[number]
        directive = DIRECTIVE.match(line)
        if directive and directive[1].lower() in SPOKEN_DIRECTIVES:
            kept.append(directive[2].strip())
            number += 1
        elif FENCE.match(line):
            number = after_fence(lines, number)
        elif line.lstrip().startswith((">>>", "$ ")):
            number = after_paragraph(lines, number)
        elif directive or MARKUP_BLOCK.match(line) or LABEL.match(line):
            number = after_block(lines, number)
        elif line.rstrip().endswith("::"):
            kept.append(line.rstrip()[:-1])
            number = after_block(lines, number)
        else:
            kept.append(line)
            number += 1
    return kept


def after_fence(lines: list[str], number: int) -> int:
    """Number of the line after a fenced block that opens at this one."""
    closing = (later for later in range(number + 1, len(lines)) if FENCE.match(lines[later]))
    return next(closing, len(lines) - 1) + 1


def after_paragraph(lines: list[str], number: int) -> int:
    """Number of the blank line after this one."""
    return next((later for later in range(number, len(lines)) if not lines[later].strip()), len(lines))


def after_block(lines: list[str], number: int) -> int:
    """Number of the first line after this one that is not indented deeper."""
    outer = indentation(lines[number])
    later = number + 1
    while later < len(lines) and (not lines[later].strip() or indentation(lines[later]) > outer):
        later += 1
    return later


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def see_also_names(preamble: Section, sections: list[Section]) -> tuple[str, ...]:
    """Names that the docstring refers to, in its order: numpydoc's section and `.. seealso::` blocks."""
    names = []
    for section in [preamble, *sections]:
        if section.heading and section.heading.lower() == "see also":
            names += [name for line in section.lines for name in entry_names(line)]
        names += [name for line in seealso_lines(section.lines) for name in ROLE_TARGET.findall(line)]
    names = [re.sub(r"^.*<|>$|\(\)$", "", name).lstrip("~.!") for name in names]
    return tuple(dict.fromkeys(names))


def entry_names(line: str) -> list[str]:
    """Names of one See Also entry, `name1, name2 : description`; none for a line of description."""
    if line.startswith(" "):
        return []
    entry = ROLE_TARGET.sub(r"\1", line).replace("`", "")
    names = [name.strip() for name in re.split(r"\s:\s|\s:$|:\s", entry)[0].split(",")]
    return [name for name in names if SEE_ALSO_NAME.match(name)]


def seealso_lines(lines: list[str]) -> list[str]:
    """Lines of the `.. seealso::` blocks."""
    found = []
    for number, line in enumerate(lines):
        directive = DIRECTIVE.match(line)
        if directive and directive[1].lower() == "seealso":
            found += lines[number : after_block(lines, number)]
    return found


def without(summary: str, body: str) -> str:
    """The body without repetitions of the summary, which would give the answer away."""
    return " ".join(body.replace(summary, " ").split())
