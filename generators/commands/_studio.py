"""Show a recording in MuJoCo Studio's web viewer, on this machine's loopback interface only.

The viewer by itself listens on every interface, without a password. Here it is handed a socket that is bound already,
and it is shut down at once where this process turns out to listen anywhere else.
"""

import ipaddress
import os
import socket
import time
from collections.abc import Callable

import mujoco
import numpy as np
from mujoco.studio import (
    app,
    launch_web,
    messages,
    plugin,
    sim,
    sim_history,
    viewer_handle,
    viewer_protocol,
    web_viewer,
)
from mujoco.studio.dear_imgui import dear_imgui as imgui
from mujoco.studio.web import web_server
from numpy.typing import NDArray

from generators.commands.env import listening
from generators.commands.view import Recording, ViewError
from generators.preview.board import Board
from generators.preview.drawing import nearest_picture
from sim.model import CONTROL

REST_S = 1.0  # how long the last frame stays before the episode begins anew
FRAME_S = 0.008  # pace of the loop: 125 times a second
PANEL_AT, PANEL, PANEL_GAP = (215.0, 40.0), (628.0, 720.0), 8.0  # where it is at first, its size; pixels
PICTURES = 0.45  # of the panel's height, at most
START_S = 10.0  # how long the server may take to listen


class Playback(plugin.SimPlugin):
    """Takes the place of physics: each step shows the recorded state of that moment.

    The viewer's own controls work on it: pause, speed, single step, reset, and the slider over the whole episode.
    Model files dropped onto the page are not opened.
    """

    def __init__(self, recording: Recording) -> None:
        self._states = np.ascontiguousarray(recording.states)
        self._times = self._states[:, 0] - self._states[0, 0]
        self._clock, self._frame = 0.0, -1
        self._speed, self._paused = 1.0, False
        self._last = time.monotonic()

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_step(self, event: messages.StepEvent) -> None:
        now = time.monotonic()
        if not self._paused:
            self._clock += (now - self._last) * self._speed
        self._last = now
        if self._clock > self._times[-1] + REST_S:
            self._clock = 0.0
        frame = int(np.searchsorted(self._times, self._clock + 1e-9, side="right")) - 1
        if frame != self._frame:
            self._frame = frame
            mujoco.mj_setState(event.model, event.data, self._states[frame], CONTROL)
            self._report()
        time.sleep(FRAME_S)

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_step_control(self, event: messages.StepControlSnapshot) -> bool:
        self._paused, self._speed = event.pause_state != sim.PauseState.UNPAUSED, event.speed / 100.0
        return True

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_pause(self, event: messages.RequestPauseEvent) -> bool:
        self._set_paused(paused=event.pause_state != sim.PauseState.UNPAUSED)
        return True

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_single_step(self, _: messages.SingleStepEvent) -> bool:
        self._clock = float(self._times[min(self._frame + 1, len(self._times) - 1)])
        return True

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_reset(self, _: messages.ResetEvent) -> None:
        self._clock, self._frame = 0.0, -1

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_scrub(self, event: sim_history.SimHistorySnapshot) -> bool:
        last = len(self._times) - 1
        self._clock = float(self._times[min(max(last + event.index, 0), last)])
        self._set_paused(paused=True)
        return True

    @messages.handler(priority=messages.Priority.CRITICAL)
    def _on_load(self, _: messages.LoadModelEvent) -> bool:
        return True

    def _set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        state = sim.PauseState.NORMAL_PAUSED if paused else sim.PauseState.UNPAUSED
        self.handle.send_to_viewer(messages.StepControlSnapshot(pause_state=state, speed=100.0 * self._speed))

    def _report(self) -> None:
        last = len(self._times) - 1
        self.handle.send_to_viewer(
            sim_history.SimHistorySnapshot(
                size=last + 1,
                index=self._frame - last,
                head_time=float(self._states[-1, 0]),
                tail_time=float(self._states[0, 0]),
            )
        )


class Panel(plugin.ViewerPlugin):
    """A window over the scene: the recorded pictures of the moment that is shown, and the episode's chart with a mark.

    A picture is sent to the browser as it was recorded, and only when it is another one; the chart is sent once. Once
    closed, it stays closed.
    """

    def __init__(self, board: Board, start: float) -> None:
        self._board, self._start = board, start
        self._sent: dict[int, tuple[int, int, float]] = {}  # pane -> its texture, the picture on it, height / width
        self._chart = 0  # its texture
        self._picture, self._top = board.chart()
        self._open = True

    @messages.handler(priority=messages.Priority.USER)
    def _on_gui(self, _: messages.BuildGuiEvent) -> None:
        if not self._open:
            return
        second = float(self.viewer.data.time) - self._start
        imgui.SetNextWindowPos(imgui.Vec2(*PANEL_AT), int(imgui.Cond.FirstUseEver))
        imgui.SetNextWindowSize(imgui.Vec2(*PANEL), int(imgui.Cond.FirstUseEver))
        flags = int(imgui.WindowFlags.NoSavedSettings) | int(imgui.WindowFlags.NoFocusOnAppearing)
        shown, self._open = imgui.Begin("Recorded", self._open, flags)
        if shown:
            space = imgui.GetContentRegionAvail()
            room = max(50.0, float(space.x))
            self._show_pictures(second, room, max(50.0, PICTURES * float(space.y)))
            self._show_chart(second, room)
        imgui.End()

    def _show_pictures(self, second: float, room: float, high: float) -> None:
        panes = self._board.panes
        columns = min(2, max(1, len(panes)))
        rows = max(1, -(-len(panes) // columns))
        width = (room - PANEL_GAP * (columns - 1)) / columns
        for k, pane in enumerate(panes):
            number = nearest_picture(pane.seconds, second)
            texture, shown, shape = self._sent.get(k, (0, -1, 1.0))
            if number != shown:
                picture = pane.picture(number)
                texture, shape = self._upload(texture, picture), picture.shape[0] / picture.shape[1]
                self._sent[k] = texture, number, shape
            if k % columns:
                imgui.SameLine()
            across = min(width, high / rows / shape)
            imgui.Image(texture, imgui.Vec2(across, across * shape))

    def _show_chart(self, second: float, room: float) -> None:
        high, across = self._picture.shape[:2]
        if not self._chart:
            self._chart = self._upload(0, self._picture)
        corner, scale = imgui.GetCursorScreenPos(), room / across
        imgui.Image(self._chart, imgui.Vec2(room, high * scale))
        x = corner.x + self._board.column(second) * scale
        ends = (imgui.Vec2(x, corner.y + self._top * scale), imgui.Vec2(x, corner.y + high * scale))
        imgui.GetWindowDrawList().AddLine(*ends, imgui.GetColorU32(imgui.Vec4(0, 0, 0, 1)), 2.0)

    def _upload(self, texture: int, picture: NDArray[np.uint8]) -> int:
        height, width = picture.shape[:2]
        opaque = np.dstack([picture, np.full((height, width), 255, np.uint8)])
        return int(self.viewer.upload_image(texture, opaque.tobytes(), width, height, 4))


def show(recording: Recording, server: socket.socket, *, running: Callable[[], bool] = lambda: True) -> None:
    """Serve the recording until Ctrl+C.

    Args:
        recording: what to show.
        server: where to serve, from `view.loopback_socket`.
        running: asked now and then whether to go on.

    Raises:
        ViewError: this version of MuJoCo's viewer does not let itself be kept on loopback.
    """
    if not (hasattr(web_server, "bind_public_socket") and hasattr(web_viewer, "_print_url_banner")):
        raise ViewError(f"the viewer of MuJoCo {mujoco.__version__} cannot be kept to this machine; use MuJoCo 4.0")
    before = web_server.bind_public_socket, web_viewer._print_url_banner
    web_server.bind_public_socket = lambda host, port=0: server
    web_viewer._print_url_banner = lambda host, port: None  # it would name an address that is not served
    config = viewer_protocol.ViewerConfig(title=recording.title, gfx="web", http_port=server.getsockname()[1])
    plugins: list[plugin.Plugin] = [app.App(), Playback(recording)]
    if recording.board:
        plugins.append(Panel(recording.board, float(recording.states[0, 0])))
    try:
        with launch_web.launch(config, plugins=plugins) as handle:
            handle.set_model(recording.model)
            _until(handle, server.getsockname()[1], running)
    except KeyboardInterrupt:
        pass
    finally:
        web_server.bind_public_socket, web_viewer._print_url_banner = before


def _until(handle: viewer_handle.ViewerHandle, port: int, running: Callable[[], bool]) -> None:
    deadline, checked = time.monotonic() + START_S, False
    while handle.is_running() and running():
        handle.sync()
        if not checked and time.monotonic() < deadline:
            checked = any(found == port for _, found in _private())


def _private() -> list[tuple[str, int]]:
    """Return what this process listens on.

    Raises:
        ViewError: one of it can be reached from elsewhere.
    """
    sockets = listening(os.getpid())
    for address, port in sockets:
        if not ipaddress.ip_address(address).is_loopback:
            raise ViewError(f"the viewer listens on {address}:{port}, which others can reach; stopped")
    return sockets
