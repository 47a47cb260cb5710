"""Brings faults about while the program runs: each returns the evidence, or None where it came too late."""

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Protocol

from generators.faults.bucket import Objects
from generators.faults.disk import fill
from generators.faults.kinds import ACTS, kind
from generators.faults.network import NETWORK, disturb
from generators.faults.program import Program

STANDS_S = 1.0  # how long who is stopped stands still
_SOON_S = 20.0  # within which an order is taken


class Nodes(Protocol):
    """A Ray cluster whose nodes can be killed and replaced."""

    def ready(self) -> None:
        """Have all nodes up."""
        ...

    def replace(self) -> str:
        """Kill the second node and start another."""
        ...

    def behead(self) -> str:
        """Kill the head."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """Where a trial happens.

    Attributes:
        executor: inline, processes, ray or ray2.
        data: the dataset's folder.
        scene: the folder of the task.
        orders: the folder of orders to the task; its path marks all processes of the trial.
        env: the program's environment.
        seed: of the dataset.
        nodes: of the Ray cluster, with ray2.
        address: of the Ray cluster, with ray2.
        objects: the dataset's in a store; None where it is a folder. `data` is then for what is brought from there.
    """

    executor: str
    data: Path
    scene: Path
    orders: Path
    env: Mapping[str, str]
    seed: int
    nodes: Nodes | None = None
    address: str | None = None
    objects: Objects | None = None

    @property
    def out(self) -> str:
        """Where the program puts the dataset."""
        return str(self.data) if self.objects is None else self.objects.url

    def begun(self) -> bool:
        """Return whether there is a dataset, which can be resumed."""
        return (self.data / "plan.json").exists() if self.objects is None else "plan.json" in self.objects.names()

    @contextlib.contextmanager
    def opened(self) -> Generator[Path]:
        """Give the dataset's files, to look at and to damage."""
        if self.objects is None:
            yield self.data
            return
        shutil.rmtree(self.data, ignore_errors=True)
        with self.objects.opened(self.data) as folder:
            yield folder

    def restore(self) -> None:
        """Take back what lasts longer than a run: ballast, orders that nobody took, a network that fails."""
        self.ballast.unlink(missing_ok=True)
        for order in self.orders.iterdir():
            order.unlink()
        if self.objects is not None:
            self.objects.bucket.proxy.behave("pass")

    @property
    def ballast(self) -> Path:
        """The file that fills the disk of the dataset, or of what is on its way to a store."""
        return self.data.parent / "ballast"


def inject(name: str, run: Program, site: Site, rng: random.Random) -> str | None:
    """Bring a fault about in a run that has work; return the evidence, or None.

    Where a fault is to end the run, whether it did is told by the exit code.
    """
    if not run.until(run.working, 60.0):
        return None
    time.sleep(rng.uniform(0.0, 0.15))
    if name in ACTS:
        return _order(name, run, site, rng)
    if name in NETWORK:
        return None if site.objects is None else disturb(name, run, site.objects.bucket.proxy, rng)
    return _INJECTIONS[name](run, site, rng) if run.working() else None


def _order(name: str, run: Program, site: Site, rng: random.Random) -> str | None:
    order = site.orders / f"{rng.getrandbits(32):08x}-{ACTS[name]}.order"
    taken = order.with_suffix(".taken")
    order.touch()
    run.until(taken.exists, _SOON_S)
    order.unlink(missing_ok=True)
    return f"{name}, in process {taken.read_text() or '?'}" if taken.exists() else None


def _worker(run: Program, site: Site, rng: random.Random) -> int | None:
    def found() -> bool:
        return bool(run.workers(site.executor, str(site.orders)))

    run.until(found, 5.0)
    workers = run.workers(site.executor, str(site.orders))
    return rng.choice(workers) if workers and run.working() else None


def _kill_worker(run: Program, site: Site, rng: random.Random) -> str | None:
    worker = _worker(run, site, rng)
    if worker is None:
        return None
    os.kill(worker, signal.SIGKILL)
    return f"SIGKILL to worker {worker}"


def _stop_worker(run: Program, site: Site, rng: random.Random) -> str | None:
    worker = _worker(run, site, rng)
    return None if worker is None else _stand(worker)


def _stop_driver(run: Program, _site: Site, _rng: random.Random) -> str | None:
    return _stand(run.pid)


def _stand(pid: int) -> str:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STANDS_S)
    os.kill(pid, signal.SIGCONT)
    return f"process {pid} stood still for {STANDS_S:g} s"


def _send(number: signal.Signals, *, twice: bool = False) -> Callable[[Program, Site, random.Random], str | None]:
    def send(run: Program, _site: Site, rng: random.Random) -> str | None:
        run.send(number)
        if twice:
            time.sleep(rng.uniform(0.0, 0.05))
            run.send(number)
        return f"{number.name} to driver {run.pid}"

    return send


def _second(run: Program, site: Site, rng: random.Random) -> str | None:
    (site.orders / f"{rng.getrandbits(32):08x}-dawdle.order").touch()  # or the first would be done too soon
    other = Program(["resume", str(site.data)], site.scene, site.env)
    code = other.ends(60.0)
    return f"refused with {code}: {other.words.strip()[-80:]}" if code == 2 and "another genba" in other.words else None


def _fill(_run: Program, site: Site, _rng: random.Random) -> str | None:
    return f"{fill(site.ballast)} bytes of ballast"


def _replace(_run: Program, site: Site, _rng: random.Random) -> str | None:
    return None if site.nodes is None else site.nodes.replace()


def _behead(_run: Program, site: Site, _rng: random.Random) -> str | None:
    return None if site.nodes is None else site.nodes.behead()


_INJECTIONS: dict[str, Callable[[Program, Site, random.Random], str | None]] = {
    "worker killed": _kill_worker,
    "worker stopped": _stop_worker,
    "driver stopped": _stop_driver,
    "driver killed": _send(signal.SIGKILL),
    "driver terminated": _send(signal.SIGTERM),
    "driver terminated twice": _send(signal.SIGTERM, twice=True),
    "driver interrupted": _send(signal.SIGINT),
    "second driver": _second,
    "disk full": _fill,
    "node killed": _replace,
    "head killed": _behead,
}


def happened(name: str, code: int | None, run: Program, executor: str) -> bool:
    """Return whether a fault that ends a run did end it, told by the exit code and the words."""
    if name == "disk full" and "No space left" not in run.words:
        return False
    if name == "store gone" and "cannot be" not in run.words:
        return False
    return code in kind(name).codes(executor)
