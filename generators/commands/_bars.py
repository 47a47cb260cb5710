"""Bars on stderr that say how far each of some files is; nothing where stderr is no terminal."""

import contextlib
import sys
from collections.abc import Callable, Generator


@contextlib.contextmanager
def bars() -> Generator[Callable[[str, float], None]]:
    """Yield a function of a file's name and the share of it that is done."""
    if not sys.stderr.isatty():
        yield lambda name, share: None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:

        def show(name: str, share: float) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=1.0)
            progress.update(tasks[name], completed=share)

        yield show
