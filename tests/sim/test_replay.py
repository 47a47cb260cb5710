"""Exact replay: from the start and from each keyframe; a changed byte, and a changed model, are found."""

import dataclasses

import numpy as np
import pytest

from sim.episode import Recorder
from sim.replay import recorded, replays
from sim.rollout import rollout, rollouts


@pytest.fixture(scope="module")
def shoved(tiny):
    """Episodes of several lengths, one of more than two keyframes."""
    return rollouts(tiny.Shove(), range(6), degraded=0.7)


def test_episodes_replay_bit_for_bit_from_the_start(tiny, shoved):
    assert len({len(e) for e in shoved}) > 1
    assert replays(tiny.Shove(), [recorded(e) for e in shoved]) == [""] * len(shoved)


def test_an_episode_replays_from_each_of_its_keyframes(tiny, shoved):
    longest = max(shoved, key=len)
    expected = list(range(0, len(longest) + 1, Recorder.KEYFRAME_EVERY))
    assert longest.keyframe_steps.tolist() == expected
    assert len(expected) > 2
    for keyframe in range(len(expected)):
        assert replays(tiny.Shove(), [recorded(longest)], keyframe=keyframe) == [""]


def test_a_replay_of_some_steps_sees_no_further(tiny, shoved):
    whole = recorded(max(shoved, key=len))
    control = whole.control.copy()
    control[150] += 1e-9
    wrong = dataclasses.replace(whole, control=control)
    assert replays(tiny.Shove(), [wrong], steps=149) == [""]
    assert replays(tiny.Shove(), [wrong], steps=150) == ["step 150: /state/control differs"]


def test_an_episode_replays_from_a_keyframe_in_the_middle_of_a_sliding_contact(tiny):
    task = tiny.Shove()
    episode = rollout(task, 0, policy=lambda seen: np.full(1, 0.08))
    speed = np.diff(episode.observations["x"][:, 0])
    assert np.all(speed[[200, 400]] > 1e-4)
    for keyframe in (1, 2):
        assert replays(task, [recorded(episode)], keyframe=keyframe) == [""]


def test_an_episode_of_no_steps_or_without_that_keyframe_is_trivially_right(tiny, shoved):
    def expert(self, s, p, *, mode, rng):
        yield from ()

    task = tiny.cart(expert=expert)
    assert replays(task, [recorded(rollout(task, 0))]) == [""]
    assert replays(tiny.Shove(), [recorded(min(shoved, key=len))], keyframe=99) == [""]


def test_a_failed_an_unstable_and_a_broken_episode_replay_too(tiny):
    def build(self, p):
        spec = tiny.cart_spec(p)
        spec.joint("rail").stiffness[0] = -3e5 if p.bad else 0.0
        return spec

    task = tiny.cart(build=build, horizon=2.0)
    episodes = rollouts(task, range(8))
    assert len({e.outcome for e in episodes}) == 2
    assert replays(task, [recorded(e) for e in episodes]) == [""] * 8


def flip(array, step):
    """Return a copy whose last bit of one number of a step is another."""
    out = array.copy()
    raw = out[step].view(np.uint8)
    raw[0] ^= 1
    return out


@pytest.mark.parametrize("step", [0, 7, -1])
def test_a_changed_bit_of_a_state_or_an_observation_is_found_at_its_step(tiny, shoved, step):
    good = recorded(shoved[0])
    at = step % len(good.control)
    state = dataclasses.replace(good, control=flip(good.control, step))
    seen = good.observations | {"encoder": flip(good.observations["encoder"], step)}
    observation = dataclasses.replace(good, observations=seen)
    findings = replays(tiny.Shove(), [good, state, observation])
    assert findings == ["", f"step {at}: /state/control differs", f"step {at}: /obs/encoder differs"]


def test_a_changed_action_is_found_in_the_state_it_leads_to(tiny, shoved):
    good = recorded(shoved[0])
    actions = good.actions.copy()
    actions[5] *= 0.99
    assert replays(tiny.Shove(), [dataclasses.replace(good, actions=actions)]) == ["step 6: /state/control differs"]


def test_a_changed_seed_is_found_in_what_the_instruments_show(tiny, shoved):
    good = recorded(shoved[0])
    finding = replays(tiny.Shove(), [dataclasses.replace(good, seed=good.seed + 1)])[0]
    assert finding.startswith("step ")


def test_states_kept_at_a_stride_are_compared_at_it(tiny, shoved):
    good = recorded(shoved[0])
    strided = dataclasses.replace(good, control=good.control[::4], control_stride=4)
    broken = dataclasses.replace(strided, control=flip(strided.control, 2))
    assert replays(tiny.Shove(), [strided, broken]) == ["", "step 8: /state/control differs"]


def test_another_model_is_called_so_and_not_a_failed_replay(tiny, shoved):
    good = recorded(shoved[0])
    changed = dict(good.parameters) | {"mass": float(np.nextafter(good.parameters["mass"], 9.0))}
    findings = replays(tiny.Shove(), [dataclasses.replace(good, parameters=changed), good])
    assert findings == ["different model", ""]


def test_what_describes_the_first_instant_replays_from_the_start(tiny):
    """A sensor that does not read zero at reset: its peak is not remembered in any state."""

    def observe(self, s):
        return {"speed": s.peak("speed"), "true": s.true_sensor("speed"), "force": s.actuator("motor").force}

    speed = ("JOINTVEL", tiny.Channel("speed", "m/s", 100))
    task = tiny.cart(channels=[speed], observe=observe, horizon=8.5)
    episode = rollout(task, 0)
    assert episode.observations["speed"][0] == np.float32(tiny.START[1])
    assert len(episode.keyframe_steps) == 3
    for keyframe in range(3):
        assert replays(task, [recorded(episode)], keyframe=keyframe) == [""]


def test_who_watches_sees_every_step_of_every_episode_that_goes_on(tiny, shoved):
    seen = [0] * len(shoved)

    def watch(t, engine, ids, which):
        assert engine.steps[ids].tolist() == [t + 1] * len(ids)
        for i in which.tolist():
            assert t == seen[i]
            seen[i] += 1

    assert replays(tiny.Shove(), [recorded(e) for e in shoved], watch=watch) == [""] * len(shoved)
    assert seen == [len(e) for e in shoved]
