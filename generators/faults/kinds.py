"""The kinds of faults: what each is, where it can happen, and how the program may end of it."""

import dataclasses
from typing import Literal

When = Literal["order", "signal", "disk", "damage", "node", "network"]
EXECUTORS = ("inline", "processes", "ray", "ray2")
SEVERAL = EXECUTORS[1:]  # with workers of their own
STORES = ("folder", "s3")
DOCUMENTED = (0, 1, 2, 3, 130)  # exit codes of genba's own
_FOLDER, _S3 = (("folder",), ("s3",))


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: it.
        what: what happens, for people.
        when: what brings it about: an order to the task, a signal, a full disk, damage between two runs, a Ray node,
            the network between the program and its store.
        executors: where it can happen.
        ends: the exit codes of a run that it ends; () where the run is to go on as if nothing had happened.
        ends_inline: the same where the task runs in the driver itself.
        costs_worker: whether a worker process is lost to it.
        stores: what the dataset lies in where it can happen.
    """

    name: str
    what: str
    when: When
    executors: tuple[str, ...] = EXECUTORS
    ends: tuple[int, ...] = ()
    ends_inline: tuple[int, ...] | None = None
    costs_worker: bool = False
    stores: tuple[str, ...] = STORES

    def codes(self, executor: str) -> tuple[int, ...]:
        """Return the exit codes of a run that it ends."""
        return self.ends_inline if executor == "inline" and self.ends_inline is not None else self.ends


KINDS = (
    Kind("worker killed", "a worker process gets SIGKILL", "signal", SEVERAL, costs_worker=True),
    Kind("worker stopped", "a worker stands still for a second (SIGSTOP, SIGCONT)", "signal", SEVERAL),
    Kind("driver stopped", "the driver stands still for a second", "signal"),
    Kind("driver killed", "the driver gets SIGKILL", "signal", ends=(-9,)),
    Kind("driver terminated", "SIGTERM: what is under way is finished", "signal", ends=(130,)),
    Kind("driver terminated twice", "SIGTERM twice: the end at once", "signal", ends=(130,)),
    Kind("driver interrupted", "Ctrl-C", "signal", ends=(130,)),
    Kind("second driver", "somebody else resumes the same dataset, and must be refused", "signal", stores=_FOLDER),
    Kind("task segfault", "the task reads address 0", "order", ends_inline=(-11,), costs_worker=True),
    Kind("task leaves", "the task ends its process", "order", ends_inline=(7,), costs_worker=True),
    Kind("task hangs", "the task sleeps for ever", "order", ends_inline=(3,), costs_worker=True),
    Kind("task holds the lock", "it hangs in C and lets no thread run", "order", SEVERAL, costs_worker=True),
    Kind("task dawdles", "an episode takes a second and a half more", "order"),
    Kind("disk full", "no byte is left on the dataset's disk", "disk", ends=(3,)),
    Kind("store refuses", "connections to the store are broken for a second", "network", stores=_S3),
    Kind("store stalls", "the store is silent for a second or two", "network", stores=_S3),
    Kind("store cuts", "connections break in the middle of requests and answers", "network", stores=_S3),
    Kind("store slow", "bytes drip to and from the store", "network", stores=_S3),
    Kind("store unavailable", "the store answers 503", "network", stores=_S3),
    Kind("store gone", "the store is refusing, silent or unavailable for good", "network", ends=(3,), stores=_S3),
    Kind("shard flipped", "one bit of a finished shard turns", "damage"),
    Kind("shard cut", "a finished shard loses its end", "damage"),
    Kind("shard deleted", "a finished shard vanishes", "damage"),
    Kind("report damaged", "a shard's report is flipped, cut, noise or gone", "damage"),
    Kind("manifest damaged", "dataset.json is cut or deleted", "damage"),
    Kind("piece damaged", "a shard's part of the tables is flipped, cut, noise or gone", "damage", stores=_S3),
    Kind("book damaged", "the driver's many receipts are flipped, cut, noise or gone", "damage", stores=_S3),
    Kind("leftovers", "files under temporary names lie about", "damage"),
    Kind("node killed", "one of two Ray nodes dies, and another joins", "node", ("ray2",), costs_worker=True),
    Kind("head killed", "the Ray node that leads dies", "node", ("ray2",), ends=(3,)),
)
ACTS = {  # kind -> what the order says
    "task segfault": "segfault",
    "task leaves": "leave",
    "task hangs": "hang",
    "task holds the lock": "hold",
    "task dawdles": "dawdle",
}


def kind(name: str) -> Kind:
    """Return a kind by name."""
    return next(k for k in KINDS if k.name == name)
