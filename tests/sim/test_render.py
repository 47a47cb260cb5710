"""Cameras and pictures: geometry against formulas, OpenGL against rays, the same bytes twice, one context."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import mujoco
import numpy as np
import pytest

from sim import cameras, filament, opengl, raycast, render
from sim.cameras import (
    LEVELS,
    Lens,
    View,
    add_camera,
    camera_pose,
    intrinsics,
    label,
    project,
    quantize_depth,
    segments,
)
from sim.errors import RenderError, UnknownNameError
from sim.model import CONTROL

HERE = str(Path(__file__).parent)
LENS = Lens(0.006, (0.0072, 0.0054), (640, 480), 0.05, 65.535)
KINDS = ("depth", "segmentation")
BALL = np.array([0.4, 0.3, 0.5])


def bench(*, colour=(0.8, 0.2, 0.1, 1), texture=(0.9, 0.9, 0.1), size=0.3, floor=5.0):
    """A box, a ball, an upright cylinder and a rope on a floor, and a camera that rides on a slide."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    kinds, world = mujoco.mjtGeom, spec.worldbody
    world.add_light(pos=[0, 0, 5], dir=[0.2, 0.3, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    texture = spec.add_texture(
        name="t",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=texture,
        width=8,
        height=8,
    )
    material = spec.add_material(name="m")
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "t"
    world.add_geom(type=kinds.mjGEOM_PLANE, size=[floor, floor, 1], rgba=[0.5, 0.5, 0.5, 1])
    box = world.add_body(name="box", pos=[-0.5, 0.4, size])
    box.add_geom(type=kinds.mjGEOM_BOX, size=[0.2, 0.2, size], material="m")
    ball = world.add_body(name="ball", pos=BALL)
    ball.add_geom(type=kinds.mjGEOM_SPHERE, size=[0.15, 0, 0], rgba=colour)
    ball.add_geom(type=kinds.mjGEOM_SPHERE, size=[0.6, 0, 0], group=3)  # not seen
    pole = world.add_body(name="pole", pos=[1.2, 1.0, 0.5])
    pole.add_geom(type=kinds.mjGEOM_CYLINDER, size=[0.2, 0.5, 0], rgba=[0.2, 0.4, 0.8, 1])
    cart = world.add_body(name="cart", pos=[0, 0, 0])
    cart.add_joint(name="slide", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0.2, 0.1])
    cart.add_geom(type=kinds.mjGEOM_SPHERE, size=[0.01, 0, 0], pos=[0, -9, 0], mass=1)
    for name, pos in (("hook", [-1, 0.5, 2]), ("load", [-1.2, 0.8, 0.3])):
        world.add_site(name=name, pos=pos)
    rope = spec.add_tendon(name="rope", width=0.02)
    rope.wrap_site("hook")
    rope.wrap_site("load")
    mesh = spec.add_mesh(name="wedge")
    mesh.uservert = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0.2 + size]
    world.add_body(name="wedge", pos=[0.6, -0.4, 0.01]).add_geom(
        type=kinds.mjGEOM_MESH, meshname="wedge", rgba=[0.1, 0.6, 0.3, 1]
    )
    label(spec, "toy", "ball", "pole")
    add_camera(world, "fixed", LENS, (0.3, -2.5, 1.6), (0.1, 0.5, 0.4))
    add_camera(cart, "riding", LENS, (-1.5, -2.0, 2.0), (0.2, 0.5, 0.3))
    add_camera(world, "down", LENS, (0, 0, 4), (0, 0, 0))
    return spec.compile()


def states(model, positions=(0.0,)):
    rows = []
    for x in positions:
        data = mujoco.MjData(model)
        data.qpos[0] = x
        row = np.empty(mujoco.mj_stateSize(model, CONTROL))
        mujoco.mj_getState(model, data, row, CONTROL)
        rows.append(row)
    return np.array(rows)


def posed(model, x=0.0):
    data = mujoco.MjData(model)
    data.qpos[0] = x
    mujoco.mj_forward(model, data)
    return data


def shoot(model, view, rows=None, backend="auto", preset="fast"):
    film = render.renderer(backend).film(model, [view], preset)
    return film.shoot(states(model) if rows is None else rows)[view.camera]


def test_intrinsics_are_those_of_the_lens_and_of_the_part_of_the_sensor_that_is_used():
    model = bench()
    k = intrinsics(model, "fixed", 640, 480)
    assert k == pytest.approx(np.array([[640 * 6 / 7.2, 0, 319.5], [0, 640 * 6 / 7.2, 239.5], [0, 0, 1]]), rel=1e-6)
    assert intrinsics(model, "fixed", 480, 480)[0, 0] == pytest.approx(640 * 6 / 7.2)  # the middle of the sensor
    assert intrinsics(model, "fixed", 64, 48)[0, 0] == pytest.approx(64 * 6 / 7.2)
    model.cam_sensorsize[:] = 0.0
    k = intrinsics(model, "fixed", 640, 480)
    assert 2 * np.degrees(np.arctan(240 / k[1, 1])) == pytest.approx(model.cam_fovy[0])


@pytest.mark.parametrize("backend", ["auto", "rays"])
@pytest.mark.parametrize(("camera", "size"), [("fixed", (320, 240)), ("riding", (128, 128)), ("riding", (90, 200))])
def test_a_known_point_is_drawn_where_its_projection_is(backend, camera, size):
    model = bench()
    places = (-0.4, 0.0, 0.7)
    frames = shoot(model, View(camera, *size, KINDS), states(model, places), backend)
    number = 1 + model.body("ball").id
    for f, x in enumerate(places):
        assert np.array_equal(frames.t_world_cam[f], camera_pose(posed(model, x), model.camera(camera).id))
        u, v, depth = project(BALL, intrinsics(model, camera, *size), frames.t_world_cam[f])
        rows, columns = np.nonzero(frames.images["segmentation"][f] == number)
        assert len(rows) > 50
        # the outline of a ball is an ellipse, its middle a little further out than the ball's centre
        assert (columns.min() + columns.max()) / 2 == pytest.approx(u, abs=1.0)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(v, abs=1.0)
        nearest = frames.images["depth"][f][round(v), round(u)] * LENS.far / LEVELS
        away = np.linalg.norm(BALL - frames.t_world_cam[f, :3, 3])
        assert nearest == pytest.approx(depth * (1 - 0.15 / away), abs=3e-3)
    moved = np.ptp(frames.t_world_cam[:, 0, 3])
    assert (moved > 0.5) == (camera == "riding")


@pytest.mark.parametrize("backend", ["auto", "rays"])
def test_depth_is_that_of_the_geometry_within_one_quantum(backend):
    model = bench()
    size, quantum = (160, 120), LENS.far / LEVELS
    for camera in ("fixed", "down"):
        frames = shoot(model, View(camera, *size, KINDS), backend=backend)
        metres = frames.images["depth"][0] * quantum
        things, pose = frames.images["segmentation"][0], frames.t_world_cam[0]
        ways = cameras.rays(*size, float(intrinsics(model, camera, *size)[0, 0])).reshape(120, 160, 3) @ pose[:3, :3].T
        eye = pose[:3, 3]
        floor = things == 1
        assert floor.sum() > 2000
        assert np.abs(metres - -eye[2] / np.where(floor, ways[..., 2], 1.0))[floor].max() <= quantum
        on_top = (0.6 - eye[2]) / ways[..., 2]  # m ahead, where the top of the box is met
        place = np.abs((eye + on_top[..., None] * ways)[..., :2] - [-0.5, 0.4]).max(axis=-1)
        top = (things == 1 + model.body("box").id) & (place < 0.19) & (on_top > 0)
        assert top.sum() > 20
        assert np.abs(metres - on_top)[top].max() <= quantum
        pole = things == 1 + model.body("pole").id  # round: its facets are within a quantum, too
        if camera == "fixed":
            a, b = (ways[..., :2] ** 2).sum(-1), ((eye - [1.2, 1.0, 0])[:2] * ways[..., :2]).sum(-1)
            c = ((eye - [1.2, 1.0, 0])[:2] ** 2).sum() - 0.04
            exact = (-b - np.sqrt(np.maximum(b * b - a * c, 0))) / a
            inner = pole & np.roll(pole, 2, 1) & np.roll(pole, -2, 1) & np.roll(pole, 3, 0)
            assert np.abs(metres - exact)[inner].max() <= 1.5 * quantum


def test_opengl_and_rays_agree_on_depth_and_things():
    for model in (bench(), bench(size=0.4, colour=(0, 1, 0, 1))):
        for camera in ("fixed", "riding", "down"):
            view, rows = View(camera, 128, 128, KINDS), states(model, (-0.5, 0.3))
            drawn, cast = shoot(model, view, rows), shoot(model, view, rows, "rays")
            assert render.renderer().backend != "rays"
            same = drawn.images["segmentation"] == cast.images["segmentation"]
            assert same.mean() >= 0.995
            off = np.abs(drawn.images["depth"].astype(int) - cast.images["depth"])[same]
            assert (off <= 1).mean() >= 0.995
            assert set(np.unique(drawn.images["segmentation"])) <= set(range(len(segments(model))))
            rope = 1 + model.nbody
            assert (cast.images["segmentation"] == rope).sum() > 20
            assert segments(model)[rope] == ("rope", "rope")


def test_the_same_states_give_the_same_bytes_whatever_was_drawn_between():
    first, other = bench(), bench(colour=(0, 0, 1, 1), texture=(0.1, 0.1, 0.9), size=0.45)
    fewer = bench(floor=3.0)  # another kind of scene: its floor is drawn at another size
    view = View("riding", 96, 64, render.KINDS)
    rows = states(first, np.linspace(-1, 1, 5))
    for preset in ("fast", "fine"):
        before = shoot(first, view, rows, preset=preset)
        away = shoot(other, view, rows, preset=preset)
        shoot(fewer, View("down", 300, 200, render.KINDS), preset=preset)
        after = shoot(first, view, rows, preset=preset)
        alone = [shoot(first, view, rows[f : f + 1], preset=preset) for f in range(len(rows))]
        for kind in render.KINDS:
            assert before.images[kind].tobytes() == after.images[kind].tobytes()
            assert before.images[kind].tobytes() == b"".join(a.images[kind].tobytes() for a in alone)
        assert before.images["rgb"].tobytes() != away.images["rgb"].tobytes()
        assert before.images["depth"].tobytes() != away.images["depth"].tobytes()


def test_another_process_draws_the_same_bytes():
    code = (
        f"import sys, hashlib; sys.path.insert(0, {HERE!r}); import test_render as t\n"
        "m = t.bench(); f = t.shoot(m, t.View('fixed', 64, 64, t.render.KINDS), t.states(m, (0.1, 0.2)))\n"
        "print(hashlib.sha256(b''.join(f.images[k].tobytes() for k in t.render.KINDS)).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert len({run.stdout for run in runs}) == 1
    assert len(runs[0].stdout.strip()) == 64


def test_colours_follow_the_scene_and_presets_differ():
    red, green = bench(colour=(1, 0, 0, 1)), bench(colour=(0, 1, 0, 1))
    pixel = []
    for model in (red, green):
        picture = shoot(model, View("fixed", 128, 96)).images["rgb"][0]
        u, v, _ = project(BALL, intrinsics(model, "fixed", 128, 96), camera_pose(posed(model), 0))
        pixel.append(picture[round(v), round(u)].astype(int))
    assert pixel[0][0] > 2 * pixel[0][1]
    assert pixel[1][1] > 2 * pixel[1][0]
    fast, fine = (shoot(red, View("fixed", 128, 96), preset=p).images["rgb"] for p in ("fast", "fine"))
    assert not np.array_equal(fast, fine)
    assert np.abs(fast.astype(int) - fine).mean() < 30  # the same scene, shadows apart


def test_filament_draws_the_scene_too():
    red = bench(colour=(1, 0, 0, 1))
    view = View("riding", 64, 48, render.KINDS)
    rows = states(red, (0.0, 0.4))
    assert filament.missing() == ""
    frames = shoot(red, view, rows, preset="pbr")
    u, v, _ = project(BALL, intrinsics(red, "riding", 64, 48), frames.t_world_cam[1])
    pixel = frames.images["rgb"][1, round(v), round(u)].astype(int)
    assert pixel[0] > 2 * pixel[1]
    assert 25 < frames.images["rgb"].mean() < 230
    fast = shoot(red, view, rows)
    for kind in KINDS:  # the preset is the colours' alone
        assert np.array_equal(frames.images[kind], fast.images[kind])
    shoot(bench(colour=(0, 1, 0, 1)), view, rows, preset="pbr")
    assert np.array_equal(shoot(red, view, rows, preset="pbr").images["rgb"], frames.images["rgb"])


def test_a_process_has_one_context(monkeypatch):
    render.renderer()
    made = []
    monkeypatch.setattr(opengl.Context, "__init__", lambda *a: made.append(a))
    for size in np.linspace(0.2, 0.5, 6):
        for preset in ("fast", "fine"):
            shoot(bench(size=size), View("fixed", 64, 64, render.KINDS), preset=preset)
    assert not made
    assert render.renderer() is render.renderer(render.renderer().backend)


def test_what_cannot_be_had_is_refused_in_one_sentence():
    model, drawer = bench(), render.renderer()
    with pytest.raises(UnknownNameError, match="did you mean 'fixed'"):
        drawer.film(model, [View("fixd")])
    with pytest.raises(RenderError, match="no preset 'fats'; did you mean 'fast'"):
        drawer.film(model, [View("fixed")], "fats")
    with pytest.raises(RenderError, match="no rendering backend 'elg'; did you mean 'egl'"):
        render.renderer("elg")
    with pytest.raises(RenderError, match=r"rgb needs OpenGL .* depth and segmentation can be had without"):
        render.renderer("rays").film(model, [View("fixed")])
    with pytest.raises(RenderError, match="no kind of picture 'rbg'; did you mean 'rgb'"):
        View("fixed", kinds=("rbg",))
    with pytest.raises(RenderError, match="1 to 4096 pixels a side, got 0"):
        View("fixed", 0, 5)
    with pytest.raises(RenderError, match="no kind of picture is asked for"):
        View("fixed", kinds=())
    caught = []

    def elsewhere():
        try:
            shoot(model, View("fixed"))
        except RenderError as error:
            caught.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert caught == ["pictures can be drawn only in the thread that drew the first one"]


def run_without_opengl(code, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")} | environment
    prelude = (
        f"import sys, ctypes, os; sys.path.insert(0, {HERE!r}); load = ctypes.CDLL.__init__\n"
        "def lost(self, name, *a, **k):\n"
        "    if name and ('EGL' in str(name) or 'OSMesa' in str(name)): raise OSError(str(name))\n"
        "    return load(self, name, *a, **k)\n"
        "ctypes.CDLL.__init__ = lost\n"
    )
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


def test_without_opengl_there_are_rays_and_a_sentence():
    said = run_without_opengl(
        "import test_render as t\n"
        "r = t.render.renderer(); print(r.backend, *r.kinds)\n"
        "f = t.shoot(t.bench(), t.View('fixed', 32, 32, t.KINDS)); print(f.images['depth'].max() > 0)\n"
        "try: r.check([t.View('fixed')])\n"
        "except t.RenderError as e: print(e)"
    )
    assert said[:2] == ["rays depth segmentation", "True"]
    assert said[2].startswith("rgb needs OpenGL (egl: libEGL.so.1 is missing: apt-get install libegl1 libgl1-mesa-dri;")
    assert len(said) == 3


def test_osmesa_draws_what_egl_draws():
    code = (
        "import test_render as t, hashlib\n"
        "m = t.bench(); f = t.shoot(m, t.View('fixed', 64, 64, t.render.KINDS)); r = t.render.renderer()\n"
        "print(r.backend, hashlib.sha256(f.images['rgb'].tobytes()).hexdigest(), f.images['rgb'].mean() > 20)"
    )
    here = f"import sys; sys.path.insert(0, {HERE!r})\n"
    out = {}
    for name in opengl.BACKENDS:
        env = {k: v for k, v in os.environ.items() if k != "PYOPENGL_PLATFORM"} | {"MUJOCO_GL": name}
        done = subprocess.run([sys.executable, "-c", here + code], capture_output=True, text=True, env=env, check=True)
        backend, digest, lit = done.stdout.split()
        assert (backend, lit) == (name, "True")
        out[name] = digest
    if "llvmpipe" in render.renderer().device:
        assert out["egl"] == out["osmesa"]


def test_quantized_depth_keeps_the_range_and_leaves_out_what_is_beyond():
    metres = np.array([0.0, 1e-4, 1.0, 65.535, 65.6, np.inf, np.nan])
    assert quantize_depth(metres, 65.535).tolist() == [0, 0, 1000, 65535, 0, 0, 0]


def test_segments_name_things_and_classes_are_inherited():
    spec = mujoco.MjSpec()
    arm = spec.worldbody.add_body(name="base").add_body(name="link")
    arm.add_body(name="tool")
    label(spec, "robot", "base")
    label(spec, "gripper", "tool")
    label(spec, "robot", "spare")
    for body in spec.bodies:
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.1, 0, 0])
    found = segments(spec.compile())
    assert [tuple(s) for s in found] == [
        ("background", "background"),
        ("world", "structure"),
        ("base", "robot"),
        ("link", "robot"),
        ("tool", "gripper"),
    ]


def test_rays_meet_a_rope_from_inside_a_picture_and_from_beside_it():
    model = bench()
    data = posed(model)
    ends = raycast.ropes(model, data)
    assert ends.start == pytest.approx(np.array([[-1, 0.5, 2]]))
    assert ends.end == pytest.approx(np.array([[-1.2, 0.8, 0.3]]))
    for offset in (0.3, 0.05):  # from afar, and so near that the rope passes the eye
        eye = np.array([-1.1, 0.65 - offset, 1.15])
        model.cam_pos[0], data.cam_xpos[0] = eye, eye
        _, things = raycast.cast(model, data, 0, (65, 65), 40.0)
        assert (things == 1 + model.nbody).any()
