"""The process's one OpenGL context, without a screen: EGL on a GPU or on llvmpipe, or OSMesa.

Making a context costs as much as two hundred small frames, so that there is one, made at first use and kept.
"""

import ctypes
import os
from typing import Any

import mujoco

BACKENDS = ("egl", "osmesa")
INSTALL = {
    "egl": "apt-get install libegl1 libgl1-mesa-dri",
    "osmesa": "apt-get install libosmesa6",
}
_LIBRARIES = {"egl": ("libEGL.so.1", "libEGL.so"), "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")}
_PLATFORM_DEVICE = 0x313F  # EGL_EXT_platform_device
_OFF = ("disable", "disabled", "off", "false", "0")


def missing(backend: str) -> str:
    """Return "" where a backend can start, else why not and what to install.

    Nothing is loaded that a later choice would regret: PyOpenGL binds itself to the first platform it meets.
    """
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    if chosen in _OFF:
        return f"OpenGL is switched off by MUJOCO_GL={chosen}"
    bound = os.environ.get("PYOPENGL_PLATFORM", "").lower()
    if bound in BACKENDS and bound != backend:
        return f"PYOPENGL_PLATFORM is {bound}, which shuts out {backend}"
    library = _load(backend)
    if library is None:
        return f"{_LIBRARIES[backend][0]} is missing: {INSTALL[backend]}"
    if backend == "egl" and not _egl_starts(library):
        return f"EGL finds no device that starts: {INSTALL[backend]}"
    return ""


def choices() -> tuple[str, ...]:
    """Return the backends to try, the best first: the one that MUJOCO_GL names, or all."""
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    return (chosen,) if chosen in BACKENDS else BACKENDS


class Context:
    """The process's OpenGL context.

    Args:
        backend: "egl" or "osmesa", one that is not `missing`.

    Attributes:
        device: what draws, as the driver calls it.
    """

    def __init__(self, backend: str) -> None:
        self._context: Any
        if backend == "egl":
            from mujoco.egl import GLContext as EglContext

            self._context = EglContext(1, 1)
        else:
            from mujoco.osmesa import GLContext as OsmesaContext

            self._context = OsmesaContext(1, 1)
        self.make_current()
        from OpenGL import GL

        self.device = GL.glGetString(GL.GL_RENDERER).decode()

    def make_current(self) -> None:
        """Let what is drawn next, in this thread, be drawn here."""
        self._context.make_current()

    def canvas(self, model: mujoco.MjModel) -> mujoco.MjrContext:
        """Return buffers and uploaded assets of a model; its `vis.quality` and buffer sizes hold for good."""
        self.make_current()
        found = mujoco.MjrContext(model, int(mujoco.mjtFontScale.mjFONTSCALE_100))
        found.readDepthMap = int(mujoco.mjtDepthMap.mjDEPTH_ZEROFAR)
        return found

    def close(self) -> None:
        """Let go of the context; canvases must be freed before."""
        self._context.free()


def _load(backend: str) -> ctypes.CDLL | None:
    for name in _LIBRARIES[backend]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _egl_starts(egl: ctypes.CDLL) -> bool:
    """Return whether a device of EGL's can be initialized."""
    address = egl.eglGetProcAddress
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    query, get_display = address(b"eglQueryDevicesEXT"), address(b"eglGetPlatformDisplayEXT")
    if not query or not get_display:
        return False
    devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int()
    found = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(query)
    if not found(len(devices), devices, ctypes.byref(count)):
        return False
    display_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(get_display)
    initialize = egl.eglInitialize
    initialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    displays = (display_of(_PLATFORM_DEVICE, device, None) for device in devices[: count.value])
    return any(display and initialize(display, None, None) for display in displays)
