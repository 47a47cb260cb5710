"""Write pages: HTML that opens offline, with style, figures and pictures inside it, and no scripts."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generators.files import write_whole
from generators.pages.facts import Page
from generators.pages.plots import phase_plot, return_plot
from sim.errors import GenbaError, MissingExtraError

_HERE = Path(__file__).parent


def check_extra() -> None:
    """Refuse where the packages that pages need are missing.

    Raises:
        MissingExtraError: in one sentence, with what to install.
    """
    missing = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"pages need {' and '.join(missing)}: pip install 'genba[pages]'")


def page_html(page: Page) -> str:
    """Return a task's page."""
    measured, means = page.measured, page.measured.phase_means
    seeds = range(len(measured.expert))
    paid = [p.paid for p in measured.expert], [p.paid for p in measured.chance]
    figures = {
        "returns": return_plot(seeds, *paid),
        "phases": phase_plot(means, page.facts["phases"]) if len(means) else "",
    }
    return _render("task.html.jinja", page=page, figures=figures)


def index_html(pages: Sequence[Page]) -> str:
    """Return the page that leads to the others."""
    return _render("index.html.jinja", pages=pages)


def write_page(folder: Path, name: str, text: str) -> Path:
    """Write a page whole or not at all; return its path.

    Raises:
        GenbaError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise GenbaError(f"{folder} is no folder") from None
    write_whole(folder / name, text.encode())
    return folder / name


def _render(template: str, **values: Any) -> str:  # noqa: ANN401 - what the template asks for
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_HERE / "style.css").read_text("utf-8")
    return environment.get_template(template).render(style=style, **values)
