"""The flags that say what is drawn: which cameras, at what size and rate, how."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import tyro

from generators.config import ConfigError, camera_settings

CameraNames = Annotated[
    tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME", help_behavior_hint="")
]


class CameraFlags(Protocol):
    """What a command's options have where it draws."""

    @property
    def camera(self) -> tuple[str, ...]:
        """Cameras by name."""
        ...

    @property
    def size(self) -> str | None:
        """Pixels: "128", or "640x480"."""
        ...

    @property
    def rate_hz(self) -> float | None:
        """Pictures per second."""
        ...

    @property
    def kinds(self) -> str | None:
        """Kinds of pictures with commas between them."""
        ...

    @property
    def preset(self) -> str | None:
        """How colours are drawn."""
        ...

    @property
    def encoding(self) -> str | None:
        """How rgb is stored."""
        ...


def flagged_cameras(flags: CameraFlags, given: Any = None) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """Put flags over the cameras of a file.

    Args:
        flags: the command's options; naming cameras leaves out the others of the file.
        given: the file's `cameras`, if any.

    Returns:
        camera -> settings, not yet checked.

    Raises:
        ConfigError: settings for no camera, or a size that is none.
    """
    changed = _settings(flags)
    try:
        known = camera_settings(given) if given is not None else {}
    except ValueError as error:
        raise ConfigError(f"cameras: {error}") from None
    named = {name: known.get(name, {}) for name in flags.camera} if flags.camera else known
    if changed and not named:
        raise ConfigError(f"--{next(iter(changed)).replace('_', '-')} is for cameras: name one with --camera")
    return {name: dict(s) | changed if isinstance(s, Mapping) else s for name, s in named.items()}


def _settings(flags: CameraFlags) -> dict[str, Any]:
    out: dict[str, Any] = {n: v for n in ("rate_hz", "preset", "encoding") if (v := getattr(flags, n)) is not None}
    if flags.kinds is not None:
        out["kinds"] = [kind.strip() for kind in flags.kinds.split(",")]
    if flags.size is not None:
        numbers = flags.size.lower().split("x")
        if len(numbers) > 2 or not all(number.strip().isdecimal() for number in numbers):
            raise ConfigError(f"--size needs a number of pixels, or WIDTHxHEIGHT, got {flags.size!r}")
        out["size"] = [int(numbers[0]), int(numbers[-1])]
    return out
