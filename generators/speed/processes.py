"""How much memory and computing time this process and those that it started take, read from /proc."""

import dataclasses
import os
from pathlib import Path

_PROC = Path("/proc")


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """One process, now.

    Attributes:
        pid: its number.
        name: of its command, or the title that it gave itself: "raylet", "ray::run_shard" ...
        rss: resident memory, MB.
        computed: computing time so far, s.
        parent: the number of the process that started it.
    """

    pid: int
    name: str
    rss: float
    computed: float
    parent: int

    @property
    def works(self) -> bool:
        """Whether Ray has it do tasks, or idle between two."""
        return self.name.startswith("ray::") and not self.name.endswith("Agent")


def family() -> list[Process]:
    """Return this process and all that descend from it.

    Raises:
        OSError: there is no /proc here: it takes Linux.
    """
    children: dict[int, list[Process]] = {}
    ours: list[Process] = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (process := _read(folder)):
            children.setdefault(process.parent, []).append(process)
            if process.pid == os.getpid():
                ours.append(process)
    for process in ours:  # it grows on the way
        ours += children.get(process.pid, [])
    return ours


def _read(folder: Path) -> Process | None:
    """Return a process; None where it has ended meanwhile."""
    try:
        stat = (folder / "stat").read_text(errors="replace")
        title = (folder / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return None
    name, fields = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    computed = (int(fields[11]) + int(fields[12])) / tick  # utime and stime
    title = title.strip() if title.startswith("ray::") else name
    return Process(int(folder.name), title, int(fields[21]) * page / 1e6, computed, int(fields[1]))
