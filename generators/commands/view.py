"""`genba view`: watch a task's expert, or a recorded episode, in a browser; works over SSH and without a GPU.

Of a recorded episode there is a panel with its pictures, phases, telemetry and work order, in step with the scene.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import mujoco
import numpy as np
import tyro
from numpy.typing import NDArray

from generators.commands._options import parse
from scenes.catalog import load_task, task_names
from sim import parameters
from sim.episode import Episode, Outcome
from sim.errors import GenbaError, UnknownNameError
from sim.model import compile_model, model_sha256
from sim.rollout import rollout
from sim.task import Task

if TYPE_CHECKING:
    from generators.dataset import Dataset
    from generators.preview.board import Board

LOOPBACK = "127.0.0.1"
PORTS = range(8080, 8180)
PANEL = (560, 560)  # width of the panel, pixels


class ViewError(GenbaError, RuntimeError):
    """There is nothing to show, or nowhere to show it."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Watch a task's expert, or an episode of a dataset, in a browser.

    The page is served to this machine only; over SSH, forward the port as the command says. An episode of a dataset
    comes with a panel: its recorded pictures, phases, telemetry and work order.

    Examples:
      genba view steel/crane_coil --seed 7
      genba view my_scene:MyTask --degraded
      genba view datasets/crane --episode 3
      genba view datasets/crane --episode 3 --camera hook --camera cab
    """

    target: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK|DATASET")]
    """A task's name, module:Class, or a dataset's folder."""
    episode: int = 0
    """Which episode of the dataset."""
    camera: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME", help_behavior_hint="")
    ] = ()
    """A camera whose recorded pictures are shown; may be repeated [all]."""
    seed: int = 0
    """The episode's seed, for a task."""
    degraded: bool = False
    """Have a worse expert do the task."""
    port: int = 0
    """The page's port [the first free one from 8080]."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """What is shown.

    Attributes:
        title: one line: what it is and how it ends.
        model: the scene.
        states: (n, size) states of `sim.model.CONTROL`, which begin with the time in s.
        board: what its panel is made of; None where there is nothing but states.
        dataset: that the board reads from, open.
    """

    title: str
    model: mujoco.MjModel
    states: NDArray[np.float64]
    board: Board | None = None
    dataset: Dataset | None = None


def main(argv: list[str]) -> int:
    """Run the command, until Ctrl+C."""
    options = parse(Options, argv, "genba view")
    recording = record(options)
    server = loopback_socket(options.port)
    from generators.commands._studio import show  # the viewer's libraries take a while to load

    print("\n".join([recording.title, *directions(server.getsockname()[1])]), flush=True)
    try:
        show(recording, server)
    finally:
        if recording.dataset:
            recording.dataset.close()
    return 0


def record(options: Options) -> Recording:
    """Roll out the task, or read the episode.

    Raises:
        GenbaError: no such task, dataset or episode, or one that never began.
    """
    target = options.target
    if ":" not in target and target not in task_names() and Path(target).is_dir():
        return _recorded(Path(target), options)
    try:
        task = load_task(target)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} (nor is there a folder {target!r})") from None
    episode = rollout(task, options.seed, degraded=float(options.degraded))
    return make_recording(task, episode, f"{task.name}, seed {options.seed}")


def make_recording(task: Task, episode: Episode, title: str) -> Recording:
    """Rebuild an episode's scene and take its states.

    Raises:
        ViewError: it has no states, or the scene is no longer the one it was recorded in.
    """
    outcome = _outcome(task, episode)
    if not len(episode.control):
        raise ViewError(f"{title}: nothing to show, it ended before it began: {outcome}")
    model = compile_model(task.build(parameters.unflatten(task.Params, episode.parameters)), task.memory)
    if model_sha256(model) != episode.model_sha256:
        raise ViewError(f"{title}: different model: the task or MuJoCo has changed since it was recorded")
    seconds = episode.control[-1, 0]
    return Recording(f"{title}: {outcome} after {seconds:.2f} s", model, np.asarray(episode.control, np.float64))


def loopback_socket(port: int = 0) -> socket.socket:
    """Bind, on this machine only, the given port or the first free one from 8080.

    Raises:
        ViewError: none is free.
    """
    ports: Sequence[int] = (port,) if port else PORTS
    for candidate in ports:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((LOOPBACK, candidate))
        except (OSError, OverflowError):
            server.close()
        else:
            return server
    where = f"port {port} is" if port else f"ports {PORTS[0]} to {PORTS[-1]} are"
    raise ViewError(f"{where} taken or not allowed; choose another with --port")


def directions(port: int) -> list[str]:
    """Say where to look, from here and from afar."""
    return [
        f"  here:      http://{LOOPBACK}:{port}/",
        f"  over SSH:  ssh -L {port}:{LOOPBACK}:{port} {socket.gethostname()}, then http://{LOOPBACK}:{port}/ there",
        "  space pauses, the slider scrubs through the episode, Ctrl+C here ends",
    ]


def _recorded(folder: Path, options: Options) -> Recording:
    from generators.dataset import Dataset
    from generators.homes import task_finder

    dataset, index = Dataset(folder), options.episode
    try:
        if not 0 <= index < len(dataset):
            raise ViewError(f"{folder} has episodes 0 to {len(dataset) - 1}, not {index}")
        episode = dataset[index].load()
        task = task_finder(folder, dataset.manifest)(episode.task)
        recording = make_recording(task, episode, f"{task.name}, episode {index} of {folder}")
        return dataclasses.replace(recording, board=_board(dataset, options), dataset=dataset)
    except BaseException:
        dataset.close()
        raise


def _board(dataset: Dataset, options: Options) -> Board:
    """Put together what the panel shows."""
    from generators.preview.board import Board
    from generators.preview.facts import read_facts, read_traces
    from generators.preview.footage import open_panes

    episode = dataset[options.episode]
    if options.camera and not episode.cameras:
        raise ViewError(f"episode {options.episode} has no recorded pictures; genba render makes them")
    panes = open_panes(episode, None, options.camera or episode.cameras, ()) if episode.cameras else ()
    return Board(read_facts(episode), read_traces(episode), panes, widths=PANEL)


def _outcome(task: Task, episode: Episode) -> str:
    words = [episode.outcome.name.lower().replace("_", " ")]
    if episode.outcome is Outcome.FAILURE and episode.fail_code:
        words.append(f"({task.failures[episode.fail_code - 1]})")
    if episode.expert_mode:
        words.append(f"with a degraded expert ({task.degradations[episode.expert_mode - 1]})")
    return " ".join(words) + (f": {episode.error}" if episode.error else "")
