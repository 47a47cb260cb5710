"""Progress of long work: a live bar on a terminal, one line a shard everywhere else."""

import collections
import sys
import time
from types import TracebackType
from typing import Self

from generators.filming import MediaReport
from generators.worker import ShardReport


class Progress:
    """Shows how a dataset comes along: rate, share of successes, bytes, time left. A context manager.

    Args:
        episodes: how many there will be.
        shards: how many there will be.
        verb: what is being done.
    """

    def __init__(self, episodes: int, shards: int, verb: str = "generating") -> None:
        self._frames = 0
        self._episodes, self._shards = episodes, shards
        self._done = self._fresh = self._bytes = self._count = 0
        self._outcomes: collections.Counter[str] = collections.Counter()
        self._start = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[text]}"),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(verb, total=episodes, text=f"0/{episodes} episodes")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def report(self, report: ShardReport) -> None:
        """Show that a shard is done."""
        self._done += report.episodes
        self._fresh += 0 if report.resumed else report.episodes
        self._bytes += report.bytes
        self._outcomes.update(report.outcomes)
        self._show(report.name, None if report.resumed else report.wall_s, report.media)

    def media(self, reports: tuple[MediaReport, ...]) -> None:
        """Show that a shard's pictures are done."""
        first = reports[0]
        resumed = all(r.resumed for r in reports)
        self._done += first.episodes
        self._fresh += 0 if resumed else first.episodes
        self._show(f"shard-{first.index:05d}", None if resumed else first.wall_s, reports)

    def _show(self, name: str, wall_s: float | None, media: tuple[MediaReport, ...]) -> None:
        self._frames += sum(m.frames for m in media)
        self._bytes += sum(m.bytes for m in media)
        self._count += 1
        text = self.summary()
        if self._bar:
            self._bar.update(self._task, completed=self._done, text=text)
        else:
            word = "kept" if wall_s is None else f"{wall_s:.1f} s"
            print(f"shard {self._count}/{self._shards} {name} ({word}): {text}", file=sys.stderr, flush=True)

    def summary(self) -> str:
        """Return the figures in one line."""
        elapsed = time.monotonic() - self._start
        rate = self._fresh / elapsed if elapsed > 0 else 0.0
        left = (self._episodes - self._done) / rate if rate > 0 else 0.0
        share = self._outcomes["success"] / self._done if self._done else 0.0
        parts = [
            f"{self._done}/{self._episodes} episodes",
            f"{rate:.2f}/s",
            *([f"{share:.0%} success"] if self._outcomes else []),
            *([f"{self._frames} frames"] if self._frames else []),
            f"{self._bytes / 1e6:.0f} MB",
        ]
        if left >= 1:
            parts.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
        return ", ".join(parts)
