"""Where a dataset is put: a folder of this machine, or a store at a URL. The driver knows only what both can do."""

import contextlib
import dataclasses
import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from generators.config import ConfigError
from generators.files import write_whole
from generators.media.writer import MEDIA
from generators.pieces import Piece, read_piece
from generators.plan import Plan, Shard, read_plan, to_json
from generators.schema import CHECKSUMS, MANIFEST, SHARDS
from generators.stores.delivery import PIECES, deliver_shard, delivered, delivered_pieces
from generators.stores.protocols import is_url
from generators.stores.receipts import BATCHES, RECEIPTS, Book
from generators.stores.staging import staging
from generators.stores.store import Store
from generators.worker import Job, ShardReport, finished, run_shard, settled
from sim.errors import GenbaError

PLAN = "plan.json"
MAX_JSON_BYTES = 256 << 20


class DiskError(GenbaError, OSError):
    """A folder that cannot be written, or a disk that is too small."""

    exit_code = 3


class Place(Protocol):
    """Where a dataset is put."""

    @property
    def work(self) -> Callable[[Job], ShardReport]:
        """What a worker does with a job."""
        ...

    def claim(self, plan: Plan, *, overwrite: bool) -> None:
        """Put a plan there, where there is no other dataset.

        Raises:
            GenbaError: there is something else, or it cannot be written.
        """
        ...

    def opened(self) -> AbstractContextManager[Path]:
        """Give the folder where the driver reads and writes what describes the dataset."""
        ...

    def settled(self, jobs: Sequence[Job]) -> list[ShardReport | None]:
        """Return the reports of what is there already, None for what is missing."""
        ...

    def keep(self, report: ShardReport) -> None:
        """Note that another shard is there, for whoever resumes; `settled` comes first."""
        ...

    def pieces(self, reports: Mapping[Shard, ShardReport]) -> Iterable[Piece]:
        """Return what shards that are there contribute to the tables."""
        ...

    def publish(self, desk: Path) -> None:
        """Make what the driver has written be there, dataset.json last: it is what commits the rest."""
        ...

    def free(self) -> float:
        """Return how many bytes have room."""
        ...


def place_of(out: Path | str) -> Place:
    """Return the place that a dataset's address names."""
    return StorePlace(Store(str(out).rstrip("/"))) if is_url(out) else FolderPlace(Path(out))


@dataclasses.dataclass(frozen=True, slots=True)
class FolderPlace:
    """A folder of this machine: workers put shards right into it."""

    out: Path

    @property
    def work(self) -> Callable[[Job], ShardReport]:
        """As in `Place`."""
        return run_shard

    def claim(self, plan: Plan, *, overwrite: bool) -> None:
        """As in `Place`."""
        out = self.out
        if out.exists() and not out.is_dir():
            raise ConfigError(f"out: {out} is a file, not a folder")
        if (out / PLAN).exists():
            if not overwrite:
                raise _in_the_way(str(out), read_plan(out / PLAN), plan)
            with lock(out):
                _clear(out)
        elif out.exists() and any(p.is_file() and p.name != ".lock" for p in out.rglob("*")):
            raise ConfigError(f"out: {out} is not empty and is no dataset of genba's; choose another folder")
        try:
            for name in (SHARDS, RECEIPTS):
                (out / name).mkdir(parents=True, exist_ok=True)
            write_whole(out / PLAN, to_json(plan).encode())
        except OSError as error:
            raise DiskError(f"cannot write to {out}: {error.strerror}") from None

    @contextlib.contextmanager
    def opened(self) -> Generator[Path]:
        """As in `Place`; one driver at a time."""
        if not (self.out / PLAN).is_file():
            read_plan(self.out / PLAN)  # says what is wrong
        else:
            for name in (SHARDS, RECEIPTS):
                (self.out / name).mkdir(exist_ok=True)
        with lock(self.out):
            sweep(self.out)
            yield self.out

    def settled(self, jobs: Sequence[Job]) -> list[ShardReport | None]:
        """As in `Place`; a shard that no report vouches for loses its name, or it would look right until made again."""
        reports = [settled(job) for job in jobs]
        for job, report in zip(jobs, reports, strict=True):
            if report is None and finished(job) is None:  # else only pictures are missing
                job.path.unlink(missing_ok=True)
        return reports

    def keep(self, report: ShardReport) -> None:
        """As in `Place`: its worker has left its report."""

    def pieces(self, reports: Mapping[Shard, ShardReport]) -> Iterable[Piece]:
        """As in `Place`."""
        return (read_piece(self.out / SHARDS / s.name, s.task, trusted=True) for s in reports)

    def publish(self, desk: Path) -> None:
        """As in `Place`: it is there already."""

    def free(self) -> float:
        """As in `Place`."""
        return shutil.disk_usage(self.out).free


@dataclasses.dataclass(slots=True)
class StorePlace:
    """A store: workers send it shards from folders of their own, and the driver writes in one of its own, too."""

    store: Store
    _book: Book | None = None

    @property
    def work(self) -> Callable[[Job], ShardReport]:
        """As in `Place`."""
        return deliver_shard

    def claim(self, plan: Plan, *, overwrite: bool) -> None:
        """As in `Place`."""
        url = self.store.url
        there = PLAN in self.store.listing()
        if there and not overwrite:
            raise self._in_the_way(plan)
        if there:
            for name in (SHARDS, MEDIA, PIECES, RECEIPTS, BATCHES, *sorted(set(self.store.listing()) - {PLAN}), PLAN):
                self.store.remove(name)  # the plan last: until then it is known for a dataset of ours
        elif self.store.exists():
            raise ConfigError(f"out: {url} is not empty and holds no dataset of genba's; choose another name")
        if not self.store.create(PLAN, to_json(plan).encode()):
            raise self._in_the_way(plan)

    @contextlib.contextmanager
    def opened(self) -> Generator[Path]:
        """As in `Place`: a temporary folder with the plan and the manifest in it."""
        with staging() as desk:
            (desk / MEDIA).mkdir()
            for part in (PLAN, MANIFEST):
                with contextlib.suppress(FileNotFoundError):
                    (desk / part).write_bytes(self.store.read(part, MAX_JSON_BYTES))
            yield desk

    def settled(self, jobs: Sequence[Job]) -> list[ShardReport | None]:
        """As in `Place`."""
        for folder in (SHARDS, MEDIA, PIECES, RECEIPTS, BATCHES):
            self.store.sweep(folder)
        reports, batched = delivered(self.store, jobs)
        loose = [report for report in reports if report is not None and report.index not in batched]
        self._book = Book(self.store, jobs[0].plan.physics_sha256, loose) if jobs else None
        return reports

    def keep(self, report: ShardReport) -> None:
        """As in `Place`: many at a time."""
        if self._book is not None:
            self._book.add(report)

    def pieces(self, reports: Mapping[Shard, ShardReport]) -> Iterable[Piece]:
        """As in `Place`."""
        return delivered_pieces(self.store, reports)

    def publish(self, desk: Path) -> None:
        """As in `Place`."""
        files = sorted(p.relative_to(desk).as_posix() for p in desk.rglob("*") if p.is_file())
        for name in (n for n in files if n not in (PLAN, MANIFEST)):
            self.store.put(name, desk / name)
        if f"{MEDIA}/{CHECKSUMS}" not in files:
            self.store.remove(f"{MEDIA}/{CHECKSUMS}")
        self.store.put(MANIFEST, desk / MANIFEST)

    def free(self) -> float:
        """As in `Place`: nobody knows."""
        return float("inf")

    def _in_the_way(self, plan: Plan) -> ConfigError:
        with self.opened() as desk:
            return _in_the_way(self.store.url, read_plan(desk / PLAN), plan)


def _in_the_way(out: str, there: Plan, plan: Plan) -> ConfigError:
    same = there.physics_sha256 == plan.physics_sha256
    hint = f"use: genba resume {out}" if same else "choose another, or give --overwrite"
    return ConfigError(f"out: {out} already holds {'this' if same else 'another'} dataset; {hint}")


@contextlib.contextmanager
def lock(out: Path) -> Generator[None]:
    """Hold the dataset's lock: one driver at a time. A killed driver's lock goes with it."""
    handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another genba is writing to {out}; wait for it, or stop it") from None
        yield
    finally:
        os.close(handle)


def sweep(out: Path) -> None:
    """Remove what killed workers left under temporary names."""
    for folder in (out, out / SHARDS, out / RECEIPTS, out / MEDIA):
        for path in folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _clear(out: Path) -> None:
    for path in out.iterdir():
        if path.name == ".lock":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
