"""Side-by-side search: a page on this machine where BM25 and the trained students of an experiment answer a query.

`systems` finds what has run, `workers` starts a process for each library that must not meet the others, `engine` asks
them, `app` serves the page; `tools/demo.py` puts them together.
"""
