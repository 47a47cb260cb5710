"""A Ray cluster of two nodes on this machine, each a process group of its own with its own folders, to be killed."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from sim.errors import GenbaError

_HEADLESS_S = 16  # after which Ray's processes end without their head
_STARTS_S = 60.0  # within which a node is up
_STORE_BYTES = 100_000_000  # of each node's objects: reports are small


class NodesError(GenbaError, RuntimeError):
    """A node that does not start."""

    exit_code = 3


class Node:
    """One node: what `ray start` starts, in a folder and a session of its own.

    Args:
        folder: a new one, in which its processes work; with a short path, for sockets are in it.
        place: flags that say where it stands in the cluster.
        env: the environment of its processes, workers included.
    """

    def __init__(self, folder: Path, place: Sequence[str], env: Mapping[str, str]) -> None:
        self.folder = folder
        self._killed = False
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        own = ["--node-ip-address=127.0.0.1", "--num-cpus=1", f"--object-store-memory={_STORE_BYTES}"]
        own += [f"--temp-dir={folder / 'ray'}", "--include-log-monitor=false", "--block"]
        with (folder / "words").open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", *place, *own],
                cwd=folder,
                env=dict(env) | {"TMPDIR": str(self.temporary)},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it is up.

        Raises:
            NodesError: it ends first, or takes too long.
        """
        deadline = time.monotonic() + _STARTS_S
        while "Ray runtime started" not in (words := (self.folder / "words").read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NodesError(f"a Ray node does not start: {' '.join(words.split())[-300:]}")
            time.sleep(0.05)

    def alive(self) -> bool:
        """Return whether it lives, or starts."""
        return self._process.poll() is None

    def kill(self) -> int:
        """Kill all of its processes; return how many they were."""
        killed = 0
        while not self._killed and (left := _session(self._process.pid)):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed += len(left)
            self._process.wait()
        self._killed = True  # and the number of its session anybody's
        return killed


class TwoNodes:
    """A head and a second node; either can be killed, and `ready` makes the cluster whole again.

    Args:
        folder: a new one, with a short path.
        env: the environment of the nodes' processes, workers included; with a token of its own it is the drivers', too.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.address = f"127.0.0.1:{_free_port()}"
        self.env = dict(env) | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.env |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_gcs_rpc_server_reconnect_timeout_s": str(_HEADLESS_S)}
        self.nodes: list[Node] = []  # all that there ever were
        self._folder = folder
        self._pair: list[Node] = []  # the head first

    def ready(self) -> None:
        """Have both nodes up."""
        if not all(node.alive() for node in self._pair[:1]):
            self.stop()
        if not self._pair:
            self._start("--head", f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false")
        if not all(node.alive() for node in self._pair[1:]):
            self._pair.pop().kill()
        if len(self._pair) == 1:
            self._pair[0].wait()
            self._start(f"--address={self.address}")
        self._pair[1].wait()

    def replace(self) -> str:
        """Kill the second node and start another, which joins while the work goes on."""
        second = self._pair.pop()
        second.wait()
        killed = second.kill()
        self._start(f"--address={self.address}")
        return f"SIGKILL to the {killed} processes of node {second.folder.name}; node {len(self.nodes) - 1} joins"

    def behead(self) -> str:
        """Kill the head; the second node does not outlive it for long."""
        return f"SIGKILL to the {self._pair[0].kill()} processes of the head"

    def stop(self) -> None:
        """Kill both."""
        while self._pair:
            self._pair.pop().kill()

    def _start(self, *place: str) -> None:
        node = Node(self._folder / str(len(self.nodes)), place, self.env)
        self.nodes.append(node)
        self._pair.append(node)


@contextlib.contextmanager
def two_nodes(env: Mapping[str, str] | None = None) -> Generator[TwoNodes]:
    """Run two nodes, in a folder of their own; in the end nothing is left of them.

    Args:
        env: the environment of their processes; default: this process's.
    """
    with tempfile.TemporaryDirectory(prefix="genba-", ignore_cleanup_errors=True) as name:
        nodes = TwoNodes(Path(name), os.environ if env is None else env)
        try:
            nodes.ready()
            yield nodes
        finally:
            nodes.stop()


def _session(number: int) -> list[int]:
    """Return the living processes of a session; Ray's workers wipe marks in their environment away."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                state, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(session) == number and state not in "ZX":
                    found.append(int(entry.name))
    return found


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]
