"""Physically based pictures by MuJoCo's Filament renderer, where it starts.

Rule: within one renderer a picture depends on the model, its data and the camera alone, not on what was drawn before.
So Filament's last pass, whose noise differs from frame to frame, stays off: it draws linear values at twice the size,
and the mean of four pixels and the sRGB curve are done here. Two renderers are not alike to the bit while `SHADOWS`
is on: a few pixels may differ by a level. Ambient occlusion stays off: its memory grows with every picture.
"""

import ctypes
import functools
import importlib
import os
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.errors import RenderError

SHADOWS = True
_PACKAGES = "install the system packages libvulkan1 and, without a graphics card's own driver, mesa-vulkan-drivers"
_FINER = 2  # pixels drawn for one that is returned, across and down
_SUN = 90_000.0  # candela, of all lights together; with _SKY, white paint in the light is just not burnt out
_SKY = 15_000.0
_CAMERA = ("pos", "forward", "up", *(f"frustum_{s}" for s in ("center", "width", "bottom", "top", "near", "far")))
_open: list[int] = []  # not empty while this process has a renderer


def missing() -> str:
    """Return "" where Filament can start here, else one sentence: what is missing and what to install."""
    try:
        importlib.import_module("mujoco.mjrf")
        importlib.import_module("mujoco.studio._studio")
    except ImportError as error:
        return f"quality pbr needs all of the Python package mujoco: {error}"
    try:
        found = _vulkan_devices(ctypes.CDLL("libvulkan.so.1"))
    except (OSError, AttributeError) as error:
        return f"quality pbr needs Vulkan: {error}; {_PACKAGES}"
    return "" if found else f"quality pbr needs a device that Vulkan can draw with, and there is none; {_PACKAGES}"


class FilamentRenderer:
    """Draws one model at a time. At most one in a process; all calls from the thread that made it.

    Attributes:
        device: what draws: "vulkan (llvmpipe ...)", or the graphics card.
    """

    def __init__(self) -> None:
        if _open:
            raise RenderError("this process has a Filament renderer already; use that one, or close it first")
        if lack := missing():
            raise RenderError(lack)
        importlib.import_module("mujoco.studio")  # brings Filament's shaders with it
        self._rf: Any = importlib.import_module("mujoco.mjrf")
        with _quiet() as said:
            api = self._rf.GraphicsApi.GRAPHICS_API_VULKAN
            self._context: Any = self._rf.Context(self._rf.ContextConfig(graphics_api=api))
        name = "".join(said).partition("Selected physical device '")[2].partition("'")[0]
        self.device = f"vulkan ({name})" if name else "vulkan"
        self._thread = threading.get_ident()
        self._targets: dict[tuple[int, int], tuple[Any, NDArray[np.uint8]]] = {}
        self._unload()
        _open.append(1)

    def load(self, model: mujoco.MjModel) -> None:
        """Take the model whose scene is drawn next and free what the last one held; nothing, if it is the same."""
        self._check()
        if self._model is model:
            return
        self._unload()
        self._resources = self._rf.ModelResources(self._context, model)
        self._scene = self._context.create_scene(self._rf.SceneParams())
        self._scene.configure_from_model(_settings())
        self._lights = self._rf.ModelLights(self._scene, self._resources)
        self._things = self._rf.ModelRenderables(self._scene, self._resources)
        option = mujoco.MjvOption()
        option.geomgroup[:] = option.tendongroup[:] = [1, 1, 1, 0, 0, 0]
        option.sitegroup[:] = 0
        self._things.set_options(option)
        if not (model.light_intensity > 0).any():  # else the model says itself how bright it is
            self._add_sky()
        self._model = model

    def draw(self, data: mujoco.MjData, camera: mujoco.MjvGLCamera, out: NDArray[np.uint8]) -> None:
        """Draw the loaded model.

        Args:
            data: its state, after `mj_kinematics`, `mj_comPos`, `mj_camlight` and, where it has tendons, `mj_tendon`.
            camera: from where.
            out: (H, W, 3) red, green and blue in sRGB, the top row first; overwritten.
        """
        self._check()
        if self._model is None:
            raise RenderError("no model is loaded: call load before draw")
        target, fine = self._target(out.shape[0], out.shape[1])
        self._lights.update(data)
        for i in range(self._model.nlight if self._sky else 0):
            if light := self._lights.get_light(i):
                light.set_intensity(_SUN / self._model.nlight)
        self._things.update(data)
        request, read = self._rf.RenderRequest(), self._rf.ReadRequest(target=target)
        request.scene, request.target, request.post_processing, request.shadows = self._scene, target, False, SHADOWS
        request.camera = self._rf.Camera(**{name: getattr(camera, name) for name in _CAMERA})
        request.viewport.height, request.viewport.width = fine.shape[:2]
        read.set_buffer(fine)
        self._context.wait_for_frame(self._context.render([request], [read]))
        sums = fine[0::2, 0::2].astype(np.uint16)
        for part in (fine[0::2, 1::2], fine[1::2, 0::2], fine[1::2, 1::2]):
            sums += part
        np.take(_curve(), sums, out=out, mode="clip")

    def close(self) -> None:
        """Free everything; a closed renderer draws no more."""
        if self._context is not None:
            self._check()
            self._unload()
            self._targets.clear()
            with _quiet():
                self._context = None
            _open.clear()

    def _check(self) -> None:
        if self._context is None:
            raise RenderError("this Filament renderer is closed")
        if threading.get_ident() != self._thread:
            raise RenderError("Filament draws only in the thread that made its renderer")

    def _unload(self) -> None:
        self._lights: Any = None  # in this order: what refers to something goes before it
        self._things: Any = None
        self._sky: Any = None
        self._scene: Any = None
        self._resources: Any = None
        self._model: mujoco.MjModel | None = None

    def _add_sky(self) -> None:
        """Light the scene from all around, as a bright hall is."""
        rf, data = self._rf, self._rf.TextureData()
        image = (Path(mujoco.__file__).parent / "studio" / "assets" / "ibl.ktx").read_bytes()
        kinds = {"format": rf.PixelFormat.PIXEL_FORMAT_KTX, "sampler_type": rf.SamplerType.TEXTURE_CUBE}
        texture = self._context.create_texture(rf.TextureConfig(width=len(image), height=0, **kinds))
        data.set_image(image)
        texture.upload(data)
        kind, white = rf.LightType.LIGHT_IMAGE, np.ones(3, np.float32)
        light = self._context.create_light(rf.LightParams(type=kind, texture=texture, intensity=_SKY, color=white))
        self._scene.add_light(light)
        self._sky = (light, texture, data)

    def _target(self, height: int, width: int) -> tuple[Any, NDArray[np.uint8]]:
        """Return what a picture of a size is drawn to and read into; kept, since making one takes time and memory."""
        if (height, width) not in self._targets:
            formats, fine = self._rf.PixelFormat, np.zeros((height * _FINER, width * _FINER, 3), np.uint8)
            kinds = {"color_format": formats.PIXEL_FORMAT_RGB8, "depth_format": formats.PIXEL_FORMAT_DEPTH32F}
            config = self._rf.RenderTargetConfig(width=fine.shape[1], height=fine.shape[0], **kinds)
            self._targets[height, width] = self._context.create_render_target(config), fine
        return self._targets[height, width]


@functools.cache
def _settings() -> mujoco.MjModel:
    """Return a model that says how to draw."""
    spec = mujoco.MjSpec()
    spec.add_numeric(name="filament.ao.enabled", data=[0.0], size=1)
    return spec.compile()


@functools.cache
def _curve() -> NDArray[np.uint8]:
    """Return the sRGB value of each sum of linear values of the pixels drawn for one (IEC 61966-2-1)."""
    x = np.linspace(0.0, 1.0, 255 * _FINER**2 + 1)
    return np.rint(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)).astype(np.uint8)


def _vulkan_devices(vulkan: ctypes.CDLL) -> int:
    """Return how many devices Vulkan names; 0, too, where it does not start."""
    info, instance, count = (ctypes.c_uint64 * 8)(1), ctypes.c_void_p(), ctypes.c_uint32()  # VkInstanceCreateInfo
    if vulkan.vkCreateInstance(ctypes.byref(info), None, ctypes.byref(instance)) != 0:
        return 0
    failed = vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    vulkan.vkDestroyInstance(instance, None)
    return 0 if failed else count.value


@contextmanager
def _quiet() -> Generator[list[str]]:
    """Catch what the library writes to the process's standard output and error; afterwards it is in the list."""
    flush, said = ctypes.CDLL(None).fflush, list[str]()
    with tempfile.TemporaryFile() as file:
        flush(None)
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
            yield said
        finally:
            flush(None)
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
