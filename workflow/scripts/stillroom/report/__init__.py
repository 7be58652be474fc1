"""The report: one page that needs no server and no network."""
