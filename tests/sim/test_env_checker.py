"""The checker of vector environments finds every promise that is broken."""

import functools

import numpy as np
import pytest
from gymnasium.vector.utils import batch_space

from sim.cameras import Lens, add_camera
from sim.env_checker import check_vector_env
from sim.envs import TaskVectorEnv
from sim.task import Task

LENS = Lens(focal=0.004, sensor=(0.0048, 0.0036), resolution=(64, 48), near=0.05, far=10.0)

OF_REWARDS = {
    "rewards float32": lambda r: r.astype(np.float32),
    "rewards nan": lambda r: r * np.nan,
    "reward of a reset": lambda r: r + 1.0,
}
OF_ENDS = {"flags are numbers": lambda t: t.astype(int), "no end": lambda t: np.zeros(3, bool)}
OF_EVERY_INFO = {
    "a key comes and goes": lambda info, _: info.pop("success"),
    "a type changes": lambda info, _: info.update(fail_code=info["fail_code"].astype(float)),
    "no mask": lambda info, _: info.pop("_success"),
}
OF_INFO = {  # where episodes end
    "no final_obs": lambda info, _: info.pop("final_obs"),
    "final_obs is the new one": lambda info, new: info.update(final_obs=np.array([*new, None], object)[:3]),
    "final_obs of all": lambda info, _: info.update(_final_obs=np.array([True, True, False])),
}


@pytest.fixture
def watched(tiny):
    """The box that a pusher shoves, before a camera."""

    def build(self, p):
        spec = tiny.Shove().build(p)
        spec.worldbody.add_light(pos=[0, 0, 3], dir=[0, 0, -1])
        add_camera(spec.worldbody, "overview", LENS, (0.3, -1.2, 0.9), (0.2, 0, 0.1))
        return spec

    kept = {k: v for k, v in vars(tiny.Shove).items() if not k.startswith("_")}
    return type("Watched", (Task,), {**kept, "build": build})()


class Broken(TaskVectorEnv):
    """A good environment, with one thing made wrong."""

    def __init__(self, task, fault, **keywords):
        super().__init__(task, 3, **keywords)
        self.fault, self.kept = fault, None
        if fault == "space":
            self.observation_space = batch_space(self.single_observation_space, 2)
        if fault == "mode":
            self.metadata["autoreset_mode"] = "NextStep"

    def reset(self, *, seed=None, options=None):
        if self.fault == "seed ignored":
            seed = None
        if self.fault == "one seed for all" and isinstance(seed, int):
            seed = [seed] * 3
        if self.fault == "mask ignored":
            options = None
        observation, info = super().reset(seed=seed, options=options)
        return self.spoil(observation), info

    def step(self, actions):
        if self.fault == "writes the actions":
            actions *= 0.5
        observation, rewards, terminations, truncations, info = super().step(actions)
        if (self.fault in OF_INFO and "final_obs" in info) or self.fault in OF_EVERY_INFO:
            (OF_INFO | OF_EVERY_INFO)[self.fault](info, observation)
        if self.fault in OF_REWARDS:
            rewards = OF_REWARDS[self.fault](rewards)
        if self.fault in OF_ENDS:
            truncations = OF_ENDS[self.fault](truncations)
        return self.spoil(observation), rewards, terminations, truncations, info

    def spoil(self, observation):
        if self.fault == "outside the space":
            return observation + 1e6
        if self.fault == "float64":
            return observation.astype(float)
        if self.fault == "one buffer":
            self.kept = observation if self.kept is None else self.kept
            self.kept[:] = observation
            return self.kept
        return observation


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("space", "is not the batch of"),
        ("mode", "no AutoresetMode"),
        ("outside the space", "is not in"),
        ("float64", "is not in"),
        ("one buffer", "changes what"),
        ("seed ignored", "same seed"),
        ("one seed for all", r"s \+ i"),
        ("mask ignored", "resets others"),
        ("writes the actions", "caller's actions"),
        ("rewards float32", "rewards are float32"),
        ("rewards nan", "rewards are"),
        ("flags are numbers", "truncations are int64"),
        ("a key comes and goes", "change keys or types"),
        ("a type changes", "change keys or types"),
        ("no mask", "has no mask"),
        ("reward of a reset", "a reward in the step that resets"),
        ("no end", "episodes of 3 steps ended"),
        ("no final_obs", "must be there when"),
        ("final_obs is the new one", "the next episode's"),
        ("final_obs of all", "masks other environments"),
    ],
)
def test_a_broken_promise_is_found(tiny, fault, says):
    with pytest.raises(AssertionError, match=says):
        check_vector_env(functools.partial(Broken, tiny.Shove(), fault))


def test_one_environment_is_too_few_to_check(tiny):
    with pytest.raises(AssertionError, match="two environments or more, got 1"):
        check_vector_env(functools.partial(TaskVectorEnv, tiny.Shove(), 1))


OF_FRAMES = {
    "a list": list,
    "one is missing": lambda frames: frames[1:],
    "shape": lambda frames: tuple(frame[..., 0] for frame in frames),
    "floats": lambda frames: tuple(frame / 255.0 for frame in frames),
    "black": lambda frames: tuple(frame * 0 for frame in frames),
    "noise": lambda frames: tuple(np.random.default_rng().integers(0, 255, f.shape, np.uint8) for f in frames),
    "all the same": lambda frames: (frames[0].copy(),) * len(frames),
}


class Blind(TaskVectorEnv):
    """A good environment whose pictures are wrong in one thing."""

    def __init__(self, task, fault, **keywords):
        super().__init__(task, 3, render_size=24, cameras={"overview": {"size": 24}}, **keywords)
        self.fault, self.kept, self.old = fault, None, {}

    def render(self):
        frames = super().render()
        if self.fault in ("one memory", "stands still"):
            first = self.kept is None
            self.kept = frames if first else self.kept
            for kept, frame in zip(self.kept, frames, strict=True):
                if self.fault == "one memory":
                    kept[:] = frame
            return self.kept if self.fault == "one memory" else tuple(frame.copy() for frame in self.kept)
        return OF_FRAMES.get(self.fault, tuple)(frames)

    def _observation(self, rows):
        seen = super()._observation(rows)
        if self.fault == "images of one episode":
            seen["overview"] = np.repeat(seen["overview"][:1], 3, axis=0)
        if self.fault == "images stand still":
            seen["overview"] = self.old.setdefault(self.autoreset_mode, seen["overview"] * 0).copy()
        if self.fault == "one memory of images":
            kept = self.old.setdefault("overview", seen["overview"])
            kept[:] = seen["overview"]
            seen["overview"] = kept
        if self.fault == "images are floats":
            seen["overview"] = seen["overview"].astype(np.float32)
        return seen


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("a list", "returns list, no tuple"),
        ("one is missing", "2 frames of 3"),
        ("shape", "frames have shape"),
        ("floats", "frames are float64"),
        ("black", "shows nothing"),
        ("noise", "two frames of one state differ"),
        ("all the same", "frames of two environments do not differ"),
        ("one memory", "same memory twice"),
        ("stands still", "frames do not change"),
        ("images of one episode", "resets others|of two environments do not differ"),
        ("images stand still", "the images 'overview' do not change"),
        ("one memory of images", "changes what"),
        ("images are floats", "is not in"),
    ],
)
def test_wrong_pictures_are_found(watched, fault, says):
    with pytest.raises(AssertionError, match=says):
        check_vector_env(functools.partial(Blind, watched, fault))
