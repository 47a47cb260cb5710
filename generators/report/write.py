"""Write a report: one HTML file with everything inside it, in one language or in two with a switch between them."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from generators.paper import render
from generators.report.facts import Report
from generators.report.plots import phase_hex
from generators.report.words import Text, percent, size

if TYPE_CHECKING:
    from markupsafe import Markup

Language = Literal["en", "ja", "both"]

_HERE = Path(__file__).parent


def check_extra() -> None:
    """Refuse where the packages that a report needs are missing.

    Raises:
        MissingExtraError: in one sentence, with what to install.
    """
    render.check_extra("reports", "report")


def report_html(report: Report, language: Language = "both") -> str:
    """Return a report as HTML: the same bytes for the same dataset.

    Args:
        report: what is written.
        language: "both" for a file with a switch.
    """
    script = (_HERE / "report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render.render(
        _HERE,
        "report.html.jinja",
        more_style=(_HERE / "report.css").read_text("utf-8"),
        report=report,
        switch=language == "both",
        language="ja" if language == "ja" else "en",
        say=_speaker(language),
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        phase_hex=phase_hex,
        share=percent,
        looked=size(report.checked.bytes),
    )


def _speaker(language: Language) -> "Callable[..., Markup]":
    """Return what templates say things with: say(en, ja), say(Text) or say("the same in both")."""
    from markupsafe import Markup, escape

    def say(text: str | Text, ja: str | None = None) -> Markup:
        words = Text(text, ja) if isinstance(text, str) and ja is not None else text
        if isinstance(words, str):
            return escape(words)
        if words.en == words.ja or language != "both":
            return escape(words.ja if language == "ja" else words.en)
        return Markup('<span class="en" lang="en">{}</span><span class="ja" lang="ja">{}</span>').format(*words)

    return say
