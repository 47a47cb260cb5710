"""Read a command's flags into its options."""

import inspect
from typing import TypeVar

import tyro

T = TypeVar("T")


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
