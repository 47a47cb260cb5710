"""Cameras of every task: what they see, what is drawn, where it is drawn, and that looks move no physics."""

import dataclasses
import functools

import mujoco
import numpy as np
import pytest

from scenes.catalog import load_task, task_names
from scenes.machines.crane_looks import BLOCK, BRIDGE, TROLLEY
from scenes.machines.hall import LAMPS, MARKING, STEELWORK
from scenes.stock_looks import COIL, MARK, PACK, SADDLE_PAIR, SADDLES
from sim.cameras import View, camera_names, depth_range, intrinsics, project, segments, visible
from sim.errors import RenderError
from sim.model import CONTROL, compile_model
from sim.parameters import flatten, sample
from sim.render import renderer
from sim.rollout import rollout

TASKS = task_names()
SIZE = 128


@functools.cache
def scene(name, seed=0):
    task = load_task(name)
    return compile_model(task.build(sample(task.Params, seed)), task.memory)


def start(model):
    """Return a scene's first state as recorded, and its data."""
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    state = np.empty(mujoco.mj_stateSize(model, CONTROL))
    mujoco.mj_getState(model, data, state, CONTROL)
    return state, data


def pictures(model, kind, state=None, size=SIZE):
    """Return {camera: (H, W[, 3])} of one state, and the poses."""
    views = [View(name, size, size, (kind,)) for name in camera_names(model)]
    try:
        film = renderer().film(model, views, "fast")
    except RenderError as error:
        pytest.skip(str(error))
    frames = film.shoot(np.atleast_2d(start(model)[0] if state is None else state))
    film.close()
    return {n: f.images[kind][0] for n, f in frames.items()}, {n: f.t_world_cam[0] for n, f in frames.items()}


def looks(task):
    """Return the names of a task's parameters that change pictures only."""
    return [name for name in flatten(task.Params()) if name.startswith("look.")]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", TASKS)
def test_every_camera_sees_a_lit_scene(name, seed):
    for camera, image in pictures(scene(name, seed), "rgb")[0].items():
        assert 40 < image.mean() < 225, camera
        assert image.std() > 12, camera
        assert np.mean(image.max(axis=-1) > 252) < 0.10, f"{camera}: burnt out"
        assert np.mean(image.max(axis=-1) < 8) < 0.20, f"{camera}: black"


@pytest.mark.parametrize("name", TASKS)
def test_cameras_have_the_numbers_of_real_ones(name):
    model = scene(name)

    assert len(camera_names(model)) >= 3
    for i, camera in enumerate(camera_names(model)):
        assert 1e-3 < model.cam_sensorsize[i, 0] < 0.05, camera
        assert 1e-3 < model.cam_intrinsic[i, 0] < 0.1, camera
        across, down = model.cam_resolution[i]
        assert model.cam_sensorsize[i, 0] / across == pytest.approx(model.cam_sensorsize[i, 1] / down, rel=0.01)
        assert 0 < depth_range(model, camera)[0] < depth_range(model, camera)[1]


@pytest.mark.parametrize("name", TASKS)
def test_every_body_has_a_class(name):
    assert [s.name for s in segments(scene(name)) if s.label == "structure"] in ([], ["world"])


@pytest.mark.parametrize("name", ["steel/crane_coil", "steel/crane_transport"])
def test_what_is_seen_in_the_bay_is_not_touched_but_for_the_floor(name):
    model = scene(name)
    touched = visible(model) & ((model.geom_contype | model.geom_conaffinity) != 0)

    assert [model.geom(int(i)).name for i in np.flatnonzero(touched)] == ["floor"]
    assert not model.geom_contype[model.geom("floor").id] & model.geom_conaffinity[model.geom("floor").id]


@pytest.mark.parametrize("name", TASKS)
def test_points_on_what_a_ray_hits_are_drawn_where_they_project(name):
    model = scene(name)
    state, data = start(model)
    numbers, poses = pictures(model, "segmentation", state)
    rng = np.random.default_rng(0)
    agree = []

    for camera, image in numbers.items():
        k, pose = intrinsics(model, camera, SIZE, SIZE), poses[camera]
        for _ in range(100):
            u, v = rng.uniform(2, SIZE - 3, 2)
            way = pose[:3, :3] @ [(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], 1.0]
            way /= np.linalg.norm(way)
            eye = pose[:3, 3] + depth_range(model, camera)[0] * way
            hit = np.array([-1], np.int32)
            far = mujoco.mj_ray(model, data, eye, way, np.array([1, 1, 1, 0, 0, 0], np.uint8), 1, -1, hit, None)
            if hit[0] < 0:
                continue
            where = project(eye + far * way, k, pose)
            assert where[:2] == pytest.approx([u, v], abs=1e-6)
            around = image[round(v) - 1 : round(v) + 2, round(u) - 1 : round(u) + 2]
            agree.append(1 + model.geom_bodyid[hit[0]] in around)

    assert len(agree) > 50
    assert np.mean(agree) > 0.97  # ropes are drawn and not met by a ray


@pytest.mark.parametrize("name", TASKS)
def test_looks_change_pictures_and_no_physics(name):
    task = load_task(name)
    names = looks(task)
    assert names
    plain, other = sample(task.Params, 0), sample(task.Params, 1)
    changed = dataclasses.replace(plain, look=other.look)
    models = [compile_model(task.build(p), task.memory) for p in (plain, changed)]

    images = [pictures(m, "rgb")[0] for m in models]
    states = [_swing(m) for m in models]

    assert states[0].tobytes() == states[1].tobytes()
    for camera in images[0]:
        assert np.abs(images[0][camera].astype(int) - images[1][camera]).mean() > 2, camera


@pytest.mark.parametrize("name", ["steel/crane_transport"])
def test_an_episode_does_the_same_whatever_it_looks_like(name):
    task = load_task(name)
    fixed = dict.fromkeys(("look.light.ambient", "look.paint.fade", "look.camera.right", "look.camera.roll"), 0.5)

    episodes = [rollout(task, 3, overrides=overrides) for overrides in ({}, fixed)]

    assert episodes[0].control.tobytes() == episodes[1].control.tobytes()


def _swing(model):
    """Return the states of a second in which every drive is told to move a little."""
    _, data = start(model)
    low, high = np.where(model.actuator_ctrllimited.astype(bool)[:, None], model.actuator_ctrlrange, 0.0).T
    data.ctrl[:] += 0.05 * (high - low) * (model.actuator_ctrllimited != 0)
    out = []
    for _ in range(100):
        mujoco.mj_step(model, data)
        out.append(np.concatenate([data.qpos, data.qvel, data.sensordata]))
    return np.array(out)


_KITS = {"marking": MARKING, "steelwork": STEELWORK, "lamps": LAMPS, "bridge": BRIDGE, "trolley": TROLLEY} | {
    "block": BLOCK, "coil": COIL, "saddle": SADDLES["green"], "saddles": SADDLE_PAIR, "pack": PACK, "mark": MARK
}  # fmt: skip


@pytest.mark.parametrize("kit", _KITS.values(), ids=_KITS.keys())
def test_a_kit_at_any_size_is_what_its_parts_are_at_that_size(kit):
    low, high = kit.ranges.T
    sizes = low + 0.37 * (high - low)

    vertices = kit.at(sizes).vertices

    exact = np.concatenate([shape.vertices for _, shape in kit.make(*sizes)])
    assert np.abs(vertices - exact).max() < 0.03  # m: slanted bars' corners, which bars half as thick hide


def test_a_palette_is_drawn_in_its_colours():
    model = scene("steel/crane_transport", 0)
    texture = model.texture("paint")

    assert int(texture.width[0]) % 4 == 0
    assert len(np.unique(model.tex_data[model.tex_adr[texture.id] :][: 3 * int(texture.width[0])])) > 10
