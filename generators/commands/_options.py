"""Read a command's flags into its options."""

import inspect
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

T = TypeVar("T")


def _optional(metavar: str) -> object:
    """Return the mark of a flag whose help says in words what holds where it is not given."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


OptionalInt = Annotated[int | None, _optional("INT")]
OptionalFloat = Annotated[float | None, _optional("FLOAT")]
OptionalText = Annotated[str | None, _optional("TEXT")]
OptionalPath = Annotated[Path | None, _optional("FOLDER")]
OptionalFile = Annotated[Path | None, _optional("FILE")]
OptionalExecutor = Annotated[
    Literal["auto", "inline", "processes", "ray"] | None, _optional("auto|inline|processes|ray")
]


def parse(options: type[T], argv: list[str], prog: str) -> T:
    """Read flags into a dataclass whose docstring is the help, its examples included.

    Raises:
        SystemExit: 0 after --help, 2 where a flag or a value does not fit.
    """
    return tyro.cli(
        options,
        args=argv,
        prog=prog,
        description=inspect.getdoc(options),
        config=(tyro.conf.FlagCreatePairsOff,),
    )
