"""Numbers of the model that a task's laws write: they act, belong to one simulation, and replay exactly."""

import numpy as np
import pytest

from sim.driven import Driven
from sim.engine import Engine, scenario
from sim.errors import TaskError, UnknownNameError
from sim.parameters import sample
from sim.replay import recorded, replays
from sim.rollout import rollouts

FRICTION = {"friction": Driven("dof_frictionloss", ("rail",))}
LIMIT = 4.0  # N


def sticky(tiny, share=1.0, driven=FRICTION, **methods):
    """A cart whose rail rubs the more the farther it is from the middle."""

    def laws(self, s):
        s.driven("friction")[...] = share * LIMIT * np.minimum(np.abs(s.joint("rail").qpos), 1.0)

    def build(self, p):
        spec = tiny.cart_spec(p)
        spec.option.solver = 2
        return spec

    return tiny.cart(driven=driven, laws=laws, build=build, horizon=6.0, **methods)


def speeds(task, n, steps, force, *, same=False):
    """Push n carts and return how fast they went (steps, n)."""
    scenes = [scenario(task, sample(task.Params, 0 if same else i), i) for i in range(n)]
    if same:
        scenes = scenes[:1] * n
    out = []
    with Engine(task, scenes) as engine:
        engine.reset()
        for _ in range(steps):
            engine.advance(engine.applied(np.full((n, 1), force)), np.arange(n))
            out.append(engine.state.joint("rail").qvel[:, 0].copy())
    return np.array(out)


def test_friction_that_follows_the_place_stops_what_it_should(tiny):
    assert (np.abs(speeds(sticky(tiny), 3, 150, 0.0)[-1]) < 1e-3).all()
    assert (np.abs(speeds(sticky(tiny, 0.0), 3, 20, 3.0)[-1]) > 0.1).all()


def test_the_scenario_stays_as_it_was_compiled(tiny):
    task = sticky(tiny)
    scene = scenario(task, task.Params(), 0)
    with Engine(task, [scene, scene]) as engine:
        engine.reset()
        engine.advance(engine.applied(np.zeros((2, 1))), np.arange(2))
        assert engine.world.driven.values["friction"].min() > 0
    assert scene.model.dof_frictionloss[0] == 0.0


def test_two_simulations_of_one_scenario_have_their_own(tiny):
    task = sticky(tiny)
    scene = scenario(task, task.Params(), 0)
    with Engine(task, [scene, scene]) as engine:
        engine.reset()
        for _ in range(30):
            engine.advance(engine.applied(np.array([[20.0], [-3.0]])), np.arange(2))
        found = [model.dof_frictionloss[0] for model in engine.world.driven.models]
    assert found[0] != found[1]


def test_episodes_replay_bit_for_bit_from_every_keyframe_alone_and_in_company(tiny):
    task = sticky(tiny, control=250.0)
    episodes = rollouts(task, range(4))
    assert len(episodes[0].keyframe_steps) > 1
    for keyframe in range(len(episodes[0].keyframe_steps)):
        assert replays(task, [recorded(e) for e in episodes], keyframe=keyframe) == [""] * 4
    alone = rollouts(task, [2])[0]
    assert alone.control.tobytes() == episodes[2].control.tobytes()


def test_a_reset_gives_back_what_the_model_was_built_with(tiny):
    task = sticky(tiny)
    with Engine(task, [scenario(task, task.Params(), i) for i in range(2)]) as engine:
        engine.reset()
        engine.advance(engine.applied(np.zeros((2, 1))), np.arange(2))
        engine.reset(np.array([1]))
        assert engine.world.driven.models[1].dof_frictionloss[0] == 0.0
        assert engine.world.driven.models[0].dof_frictionloss[0] > 0.0


@pytest.mark.parametrize(
    ("driven", "error", "says"),
    [
        (Driven("dof_frictionlos", ("rail",)), TaskError, "dof_frictionlos"),
        (Driven("dof_frictionloss", ("rial",)), UnknownNameError, "did you mean 'rail'"),
    ],
)
def test_what_is_not_there_is_refused_by_name(tiny, driven, error, says):
    task = sticky(tiny, driven={"friction": driven})
    with pytest.raises(error, match=says):
        Engine(task, [scenario(task, task.Params(), 0)])


def test_an_undeclared_field_is_refused(tiny):
    task = sticky(tiny)
    with Engine(task, [scenario(task, task.Params(), 0)]) as engine, pytest.raises(UnknownNameError, match="friction"):
        engine.state.driven("frction")
