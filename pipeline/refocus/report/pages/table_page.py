"""One table as a page of its own, style and script inside: what a click on a table in Snakemake's report opens."""

from refocus.report.pages.render import render
from refocus.report.pages.table_view import view


def table_page(name: str, numbers: str, words: str) -> str:
    """The page of a table, from the text of its .csv and of its .md."""
    return render("table_page.html.jinja", view=view(name, numbers, words))
