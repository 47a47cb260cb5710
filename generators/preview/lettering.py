"""Text in pictures: which font writes which character, how wide a text is, where its lines break.

A character that no font has is never drawn as an empty box: another is written in its place, and a Japanese text
without a Japanese font is left out by who asks `can_write` first. Latin text looks the same on every machine.
"""

import functools
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

INSTALL_JAPANESE = (
    "no font with Japanese characters was found, so the Japanese work order is left out:"
    " pip install 'genba[video]' or apt-get install fonts-noto-cjk"
)
_PACKAGES = (("matplotlib_fontja", "fonts/ipaexg.ttf"), ("japanize_matplotlib", "fonts/ipaexg.ttf"))
_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts")
_FILES = (
    "NotoSansCJK*-Regular.ttc",
    "NotoSansJP-Regular.*",
    "ipaexg.ttf",
    "ipag.ttf",
    "TakaoPGothic.ttf",
    "VL-PGothic*.ttf",
)
_LATIN = "studio/assets/AtkinsonHyperlegibleNext[wght].ttf"  # comes with mujoco's viewer
_SAMPLE = "吊鋼コび"
_NOWHERE = "\U0010fffd"  # a character that no font has
_INSTEAD = {
    "µ": "u",
    "μ": "u",
    "×": "x",
    "–": "-",
    "—": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "…": "...",
    "−": "-",
}
_NOT_FIRST = frozenset("、。，．・：；？！」』）】〕ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ),.;:!?]}")
_NOT_LAST = frozenset("「『（【〔([{")

Font = ImageFont.FreeTypeFont


def can_write(text: str) -> bool:
    """Return whether there is a font for every character."""
    return all(c.isspace() or _number(c) is not None for c in text)


@functools.cache
def japanese_font() -> Path | None:
    """Return the file of a font with Japanese characters: a package's, else the system's."""
    return next((path for path in _candidates() if path.is_file() and _covers(path)), None)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: int, *, bold: bool = False) -> float:
    """Return how wide a line of text is, in pixels."""
    return sum(_font(number, size, bold).getlength(part) for number, part in _runs(text))


def wrap(text: str, size: int, width: float, *, lines: int = 0, bold: bool = False) -> list[str]:
    """Break a text into lines; Japanese text breaks between any two characters but before and after some marks.

    Args:
        text: in any language.
        size: of the font, pixels.
        width: of the lines, pixels; none is wider.
        lines: how many there may be, the last one cut with "..."; 0 for any number.
        bold: how it will be written.
    """
    out: list[str] = []
    line = ""
    for piece in _pieces(text):
        if text_width((line + piece).rstrip(), size, bold=bold) <= width:
            line += piece
            continue
        if line.strip():
            out.append(line.rstrip())
        line = piece.lstrip()
        while text_width(line.rstrip(), size, bold=bold) > width and len(line) > 1:
            count = _fitting(line, size, width, bold=bold)
            out.append(line[:count])
            line = line[count:]
    if line.strip():
        out.append(line.rstrip())
    if lines and len(out) > lines:
        out = [*out[: lines - 1], shorten(" ".join(out[lines - 1 : lines + 1]), size, width, bold=bold, cut=True)]
    return out


def shorten(text: str, size: int, width: float, *, bold: bool = False, cut: bool = False) -> str:
    """Return as much of a line as fits, with "..." where something is missing.

    Args:
        text: one line.
        size: of the font, pixels.
        width: at most, pixels.
        bold: how it will be written.
        cut: whether something is missing already.
    """
    if not cut and text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text)  # so much fits, more than so much does not
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "...", size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..." if low else ""


def write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, colour: Any, **how: Any) -> None:  # noqa: ANN401
    """Write one line.

    Args:
        draw: what to write on.
        at: x and y of the baseline.
        text: what to write.
        size: of the font, pixels.
        colour: as Pillow takes it.
        how: bold: True for bold; align: "left", "middle" or "right" of x [left].
    """
    bold = bool(how.get("bold"))
    x, y = at
    x -= {"left": 0.0, "middle": 0.5, "right": 1.0}[how.get("align", "left")] * text_width(text, size, bold=bold)
    for number, part in _runs(text):
        font = _font(number, size, bold)
        draw.text((round(x), round(y)), part, fill=colour, font=font, anchor="ls")
        x += font.getlength(part)


def _pieces(text: str) -> Iterator[str]:
    """Split a text where lines may break."""
    piece = ""
    for c in " ".join(text.split()):
        wide = ord(c) >= 0x2E80
        after = bool(piece) and ord(piece[-1]) >= 0x2E80 and piece[-1] not in _NOT_LAST
        if piece and c not in _NOT_FIRST and ((wide and piece[-1] not in _NOT_LAST) or after):
            yield piece
            piece = ""
        piece += c
        if c == " ":
            yield piece
            piece = ""
    if piece:
        yield piece


def _fitting(line: str, size: int, width: float, *, bold: bool) -> int:
    count = 1
    while count < len(line) and text_width(line[: count + 1], size, bold=bold) <= width:
        count += 1
    return count


def _runs(text: str) -> Iterator[tuple[int, str]]:
    """Split a line into parts of one font each: its number and the text."""
    current, run = 0, ""
    for c in text:
        number = current if c.isspace() else _number(c)
        if number is None:
            c = _INSTEAD.get(c, "?")
            number = 0
        if run and number != current:
            yield current, run
            run = ""
        current, run = number, run + (" " if c.isspace() else c)
    if run:
        yield current, run


@functools.lru_cache(maxsize=8192)
def _number(c: str) -> int | None:
    """Return the first font that has a character."""
    for number in range(2 if japanese_font() else 1):
        if _has(_font(number, 20, bold=False), c):
            return number
    return None


@functools.lru_cache(maxsize=64)
def _font(number: int, size: int, bold: bool) -> Font:  # noqa: FBT001 - cached
    if number:
        return _open(japanese_font(), size)
    spec = importlib.util.find_spec("mujoco")
    homes = (spec.submodule_search_locations if spec else None) or []
    path = next((p for home in homes if (p := Path(home) / _LATIN).is_file()), None)
    if path is None:
        found = ImageFont.load_default(size)
        assert isinstance(found, ImageFont.FreeTypeFont)
        return found
    font = _open(path, size)
    font.set_variation_by_axes([650 if bold else 430])
    return font


def _open(path: Path | None, size: int) -> Font:
    assert path is not None
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _has(font: Font, c: str) -> bool:
    return _drawn(font, c) != _drawn(font, _NOWHERE)


def _drawn(font: Font, c: str) -> tuple[Any, bytes]:
    size = (3 * int(font.size), 3 * int(font.size))
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((font.size, 2 * font.size), c, fill=255, font=font, anchor="ls")
    return font.getlength(c), image.tobytes()


def _covers(path: Path) -> bool:
    try:
        font = _open(path, 20)
    except OSError:
        return False
    return all(_has(font, c) for c in _SAMPLE)


def _candidates() -> Iterator[Path]:
    for package, name in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for home in (spec.submodule_search_locations if spec else None) or []:
            yield Path(home) / name
    for folder in _FOLDERS:
        home = Path(folder).expanduser()
        for pattern in _FILES:
            yield from sorted(home.rglob(pattern)) if home.is_dir() else ()
    if command := shutil.which("fc-match"):
        done = subprocess.run(
            [command, "-f", "%{file}", "sans:lang=ja"], capture_output=True, text=True, check=False, timeout=20
        )
        if done.returncode == 0 and done.stdout:
            yield Path(done.stdout)
