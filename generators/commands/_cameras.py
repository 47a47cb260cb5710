"""The flags that say what is drawn: which cameras, at what size and rate, how."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import tyro

from generators.commands._options import OptionalFloat, OptionalText
from generators.config import ConfigError, camera_settings

CameraNames = Annotated[
    tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME", help_behavior_hint="")
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraFlags:
    """The flags of a command that draws."""

    camera: CameraNames = ()
    """A camera of the scene to draw, see `genba describe TASK`; may be repeated."""
    size: OptionalText = None
    """Pixels: 128, or 640x480 [128]."""
    rate_hz: OptionalFloat = None
    """Pictures per second; it must divide the task's control rate [the control rate]."""
    kinds: OptionalText = None
    """What to draw, with commas between: rgb,depth,segmentation [rgb]."""
    preset: OptionalText = None
    """How colours are drawn: fast, fine or pbr [fast]."""
    encoding: OptionalText = None
    """How rgb is stored: zstd, raw and png lose nothing; jpeg, mp4 [zstd]."""


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
