"""What OpenGL draws on: buffers, shapes and textures of scenes of one kind, at one quality.

A canvas is kept while scenes come and go; what the next scene has in common with the last one is not uploaded again.
"""

import copy
import hashlib
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.opengl import Context

Array = NDArray[Any]

_FLAG, _OBJECT = mujoco.mjtRndFlag, mujoco.mjtObj
_ALL = int(mujoco.mjtCatBit.mjCAT_ALL)


class Quality(NamedTuple):
    """How a canvas is drawn; it holds for as long as the canvas.

    Attributes:
        facets: of round shapes: around and along; and of a box's side.
        shadows: pixels of the shadow map, 0 for none; only the first of a scene's lights that may throw them does.
        finer: times that a picture is drawn larger, across and down, and averaged.
        reflections: whether floors reflect.
        exact: whether what is drawn are the numbers of things, and their depth.
    """

    facets: tuple[int, int, int] = (12, 7, 1)
    shadows: int = 0
    finer: int = 1
    reflections: bool = False
    exact: bool = False


class Frustum(NamedTuple):
    """What a camera sees.

    Attributes:
        near: where it begins, m ahead.
        far: where it ends, m ahead.
        slope: half the height of the picture at 1 m.
    """

    near: float
    far: float
    slope: float

    def metres(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what depth buffers (...), 1 near and 0 far, stand for, m."""
        return np.float32(self.near * self.far) / (depth * np.float32(self.far - self.near) + np.float32(self.near))

    def put(self, camera: mujoco.MjvGLCamera) -> None:
        """Give it to a camera of OpenGL's."""
        camera.frustum_near, camera.frustum_far = self.near, self.far
        camera.frustum_center = camera.frustum_width = 0.0  # as wide as the picture
        camera.frustum_top = self.near * self.slope
        camera.frustum_bottom = -camera.frustum_top


class Assets:
    """A scene's shapes and textures, by hash.

    Attributes:
        meshes: of each mesh.
        textures: of each texture.
        kind: what a canvas must share with a scene: how many assets there are, and the planes, which stay as they are.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        m = model
        self.meshes = [_mesh_hash(m, i) for i in range(m.nmesh)]
        sizes = m.tex_height * m.tex_width * m.tex_nchannel
        self.textures = [_hash(m.tex_data[m.tex_adr[i] :][: sizes[i]]) for i in range(m.ntex)]
        planes = m.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)
        painted = np.unique(m.geom_matid[planes & (m.geom_matid >= 0)])
        self.kind = (
            m.nmesh,
            m.ntex,
            m.nhfield,
            _hash(m.geom_size[planes], m.mat_texrepeat[painted], m.mat_texid[painted]),
        )


class Canvas:
    """Buffers and assets on the process's OpenGL context.

    Args:
        context: where to draw.
        quality: how to draw.
        model: a scene; others of its kind may follow.
        assets: the scene's.
        size: pixels across and down, at first.
    """

    def __init__(
        self, context: Context, quality: Quality, model: mujoco.MjModel, assets: Assets, size: tuple[int, int]
    ) -> None:
        self._quality, self._assets, self._size = quality, assets, size
        first = copy.copy(model)
        settings, buffers = first.vis.quality, first.vis.global_
        settings.numslices, settings.numstacks, settings.numquads = quality.facets
        settings.shadowsize, settings.offsamples = quality.shadows, 0
        buffers.offwidth, buffers.offheight = size
        self.context = context.canvas(first)
        self._scene = mujoco.MjvScene(first, maxgeom=model.ngeom + 16 * model.ntendon + 100)
        self._scene.flags[:] = 0
        self._scene.flags[[int(_FLAG.mjRND_CULL_FACE), int(_FLAG.mjRND_SKYBOX)]] = 1
        self._scene.flags[int(_FLAG.mjRND_SHADOW)] = quality.shadows > 0
        self._scene.flags[int(_FLAG.mjRND_REFLECTION)] = quality.reflections
        if quality.exact:
            self._scene.flags[[int(_FLAG.mjRND_SEGMENT), int(_FLAG.mjRND_IDCOLOR)]] = 1
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        self._option.flags[int(mujoco.mjtVisFlag.mjVIS_RANGEFINDER)] = 0
        self._camera = mujoco.MjvCamera()
        self._camera.type = int(mujoco.mjtCamera.mjCAMERA_FIXED)
        self._model: mujoco.MjModel | None = None
        self._things = np.zeros(1, np.uint16)
        self._colours, self._depth = np.empty((0, 0, 3), np.uint8), np.empty((0, 0), np.float32)
        self._load(model)

    def load(self, model: mujoco.MjModel, assets: Assets, size: tuple[int, int]) -> None:
        """Make a scene the one that is drawn next, in pictures of up to a size; the context must be current."""
        if size[0] > self._size[0] or size[1] > self._size[1]:
            self._size = max(size[0], self._size[0]), max(size[1], self._size[1])
            mujoco.mjr_resizeOffscreen(*self._size, self.context)
        if self._model is model:
            return
        for i, (old, new) in enumerate(zip(self._assets.meshes, assets.meshes, strict=True)):
            if old != new:
                mujoco.mjr_uploadMesh(model, self.context, i)
        for i, (old, new) in enumerate(zip(self._assets.textures, assets.textures, strict=True)):
            if old != new:
                mujoco.mjr_uploadTexture(model, self.context, i)
        self._assets = assets
        self._load(model)

    def _load(self, model: mujoco.MjModel) -> None:
        """Take over what a canvas keeps of a scene apart from its assets."""
        self._model = model
        context, extent, n = self.context, model.stat.extent, model.nmat
        if n:
            roles = model.mat_texid.shape[1]
            context.mat_texid[: n * roles] = model.mat_texid.ravel()
            context.mat_texuniform[:n] = model.mat_texuniform
            context.mat_texrepeat[: 2 * n] = model.mat_texrepeat.ravel()
        context.shadowClip = extent * model.vis.map.shadowclip
        context.shadowScale = model.vis.map.shadowscale
        self._things = np.zeros(1, np.uint16)

    def draw(
        self, data: mujoco.MjData, camera: int, frustum: Frustum, size: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Draw a state of the loaded scene.

        Args:
            data: the state, with kinematics, cameras, lights and tendons worked out.
            camera: its number.
            frustum: what it sees.
            size: pixels across and down.

        Returns:
            Colours (H, W, 3), and with `Quality.exact` the depth buffer (H, W), 1 near and 0 far; bottom row first.
            Both are overwritten by the next picture.
        """
        width, height = size
        if self._colours.shape[:2] != (height, width):
            self._colours, self._depth = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)
        scene, box = self._scene, mujoco.MjrRect(0, 0, width, height)
        self._camera.fixedcamid = camera
        mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), self.context)
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._camera, _ALL, scene)
        for eye in scene.camera:  # left and right, whose mean is the camera
            frustum.put(eye)
        if self._quality.shadows:
            for light in [light for light in scene.lights[: scene.nlight] if light.castshadow][1:]:
                light.castshadow = 0
        mujoco.mjr_render(box, scene, self.context)
        mujoco.mjr_readPixels(self._colours, self._depth if self._quality.exact else None, box, self.context)
        return self._colours, self._depth

    def things(self, colours: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return what the colours (H, W, 3) of an exact canvas are: 1 + body, 1 + nbody + tendon, 0 for nothing."""
        if len(self._things) != self._scene.ngeom + 1:
            self._things = self._table()
        numbers = colours[..., 0]
        if len(self._things) > 256:
            numbers = numbers + (colours[..., 1].astype(np.intp) << 8)
        return self._things[numbers]

    def _table(self) -> NDArray[np.uint16]:
        """Return what each colour of the scene as it is drawn now stands for."""
        model = self._model
        assert model is not None
        table = np.zeros(self._scene.ngeom + 1, np.uint16)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == int(_OBJECT.mjOBJ_GEOM):
                table[geom.segid + 1] = 1 + model.geom_bodyid[geom.objid]
            elif geom.segid >= 0 and geom.objtype == int(_OBJECT.mjOBJ_TENDON):
                table[geom.segid + 1] = 1 + model.nbody + geom.objid
        return table

    def close(self) -> None:
        """Let go of buffers and assets; the context must be current."""
        self.context.free()


def _mesh_hash(m: mujoco.MjModel, i: int) -> bytes:
    faces = slice(m.mesh_faceadr[i], m.mesh_faceadr[i] + m.mesh_facenum[i])
    vertices = slice(m.mesh_vertadr[i], m.mesh_vertadr[i] + m.mesh_vertnum[i])
    normals = slice(m.mesh_normaladr[i], m.mesh_normaladr[i] + m.mesh_normalnum[i])
    texcoords = slice(m.mesh_texcoordadr[i], m.mesh_texcoordadr[i] + m.mesh_texcoordnum[i])  # -1 and 0 for none
    coordinates = m.mesh_texcoord[texcoords] if m.mesh_texcoordadr[i] >= 0 else np.zeros(0)
    return _hash(
        m.mesh_vert[vertices], m.mesh_normal[normals], coordinates, m.mesh_face[faces], m.mesh_facenormal[faces]
    )


def _hash(*arrays: Array) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()
