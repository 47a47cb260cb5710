"""Write pages: HTML that opens offline, with style, figures and pictures inside it, and no scripts."""

from collections.abc import Sequence
from pathlib import Path

from generators.pages.facts import Page
from generators.pages.plots import phase_plot, return_plot
from generators.paper import render
from generators.paper.render import write_html

_HERE = Path(__file__).parent


def check_extra() -> None:
    """Refuse where the packages that pages need are missing.

    Raises:
        MissingExtraError: in one sentence, with what to install.
    """
    render.check_extra("pages", "pages")


def page_html(page: Page) -> str:
    """Return a task's page."""
    measured, means = page.measured, page.measured.phase_means
    seeds = range(len(measured.expert))
    paid = [p.paid for p in measured.expert], [p.paid for p in measured.chance]
    figures = {
        "returns": return_plot(seeds, *paid),
        "phases": phase_plot(means, page.facts["phases"]) if len(means) else "",
    }
    return render.render(_HERE, "task.html.jinja", page=page, figures=figures)


def index_html(pages: Sequence[Page]) -> str:
    """Return the page that leads to the others."""
    return render.render(_HERE, "index.html.jinja", pages=pages)


def write_page(folder: Path, name: str, text: str) -> Path:
    """Write a page whole or not at all; return its path.

    Raises:
        GenbaError: the folder cannot be made.
    """
    write_html(folder / name, text)
    return folder / name
