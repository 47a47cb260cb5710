"""Renders templates into HTML that opens offline: text is escaped, a value that is missing is an error."""

import importlib.util
from pathlib import Path
from typing import Any

from generators.files import write_whole
from sim.errors import GenbaError, MissingExtraError

_HERE = Path(__file__).parent


def check_extra(what: str, extra: str) -> None:
    """Refuse where the packages that HTML with figures needs are missing.

    Args:
        what: what needs them: "pages".
        extra: the name to install.

    Raises:
        MissingExtraError: in one sentence, with what to install.
    """
    missing = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{what} need {' and '.join(missing)}: pip install 'genba[{extra}]'")


def render(folder: Path, template: str, **values: Any) -> str:  # noqa: ANN401 - what the template asks for
    """Fill a template.

    Args:
        folder: where it is; base.html.jinja is found beside this module.
        template: its file.
        values: what it asks for; `style` is given to it, followed by `more_style`.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_HERE / "style.css").read_text("utf-8") + str(values.pop("more_style", ""))
    return environment.get_template(template).render(style=style, **values)


def write_html(path: Path, text: str) -> None:
    """Write a page whole or not at all.

    Raises:
        GenbaError: its folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise GenbaError(f"{path.parent} is no folder") from None
    write_whole(path, text.encode())
