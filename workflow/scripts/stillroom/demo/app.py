"""The page and what it asks for; nothing in it comes from, or goes to, another machine."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Flask, Response, jsonify, render_template, request, send_file

from stillroom.demo.engine import Answer
from stillroom.demo.passages import Passages
from stillroom.demo.systems import System, shown_first
from stillroom.registry import PACKAGE

WORDS = PACKAGE / "report" / "words.js"  # how BM25 cuts texts into words, as in the report
MOST_LETTERS = 2_000  # so that no query has more terms than Lucene takes, 1,024
HOSTS = ["127.0.0.1", "localhost"]  # no other name leads here: pages of other sites cannot read the answers
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; "
    "style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Corpus(NamedTuple):
    """What is searched, by which systems, and queries to begin with; `missing` are systems that have not run."""

    systems: list[System]
    missing: list[System]
    passages: Passages
    examples: list[str]


def create_app(experiment: str, corpora: dict[str, Corpus], answer: Callable[[System, str], Answer]) -> Flask:
    """The app; `answer` asks a system."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = HOSTS
    app.json.ensure_ascii = False

    @app.get("/")
    def page() -> str | tuple[str, int]:
        name = request.args.get("corpus", next(iter(corpora)))
        if name not in corpora:
            return f"There is no corpus of this name; there are {', '.join(corpora)}.", 404
        corpus = corpora[name]
        chosen = {system.name for system in shown_first(corpus.systems)}
        return render_template(
            "page.html", experiment=experiment, corpora=corpora, name=name, corpus=corpus, chosen=chosen
        )

    @app.get("/words.js")
    def words() -> Response:
        return send_file(WORDS)

    @app.get("/search")
    def search() -> Response | tuple[Response, int]:
        try:
            system, query = read_question(corpora, request.args)
            return jsonify(as_json(answer(system, query)))
        except (RuntimeError, ValueError) as error:
            return jsonify(error=str(error)), 400 if isinstance(error, ValueError) else 500

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return app


def read_question(corpora: dict[str, Corpus], arguments) -> tuple[System, str]:
    """The system and the query of a request, or a ValueError in one sentence."""
    query = arguments.get("query", "").strip()
    if not query:
        raise ValueError("The query is empty; type a few words.")
    if len(query) > MOST_LETTERS:
        raise ValueError(f"The query has {len(query):,} letters, expected {MOST_LETTERS:,} or fewer.")
    corpus = corpora.get(arguments.get("corpus", ""))
    systems = {system.name: system for system in corpus.systems} if corpus else {}
    if arguments.get("system") not in systems:
        raise ValueError("There is no such system here; load the page again.")
    return systems[arguments["system"]], query


def as_json(answer: Answer) -> dict:
    """An answer as the page reads it."""
    found = [{"id": passage.passage_id, "text": passage.text, "score": score} for passage, score in answer.passages]
    return {"encode_ms": answer.encode_ms, "search_ms": answer.search_ms, "passages": found}
