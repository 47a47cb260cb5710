"""Channels against a plain mj_step loop: when samples are taken, what they carry, and the instruments' errors."""

import dataclasses

import mujoco
import numpy as np
import pytest

from sim import parameters
from sim.channels import Channel, channel_width, channels
from sim.envs import TaskEnv
from sim.model import compile_model
from sim.noise import BLOCK
from sim.rollout import rollout, rollouts


def reference(tiny, episode, chans):
    """Step the episode's cart with mj_step alone; return position, speed and force before each physics step."""
    spec = tiny.cart_spec(parameters.unflatten(tiny.CartParams, episode.parameters))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    rows = []
    for action in episode.actions:
        data.ctrl[:] = action
        for _ in range(tiny.STEPS):
            rows.append((data.qpos[0], data.qvel[0], data.ctrl[0]))
            mujoco.mj_step(model, data)
    return dict(zip(("q", "v", "f"), np.array(rows).T, strict=True))


@pytest.mark.parametrize("period", [1, 2, 5, 10, 25])
def test_sample_i_is_taken_at_i_periods_and_carries_the_value_one_latency_before(tiny, period):
    kinds = {"q": "JOINTPOS", "v": "JOINTVEL", "f": "ACTUATORFRC"}
    lates = (0, 1, 2, 3, 5, 10, 13, 20)
    chans = [
        (kind, Channel(f"{name}{late}", "1", 1 / (tiny.DT * period), latency_s=late * tiny.DT))
        for name, kind in kinds.items()
        for late in lates
    ]
    episode = rollout(tiny.cart(channels=chans), 1)
    truth = reference(tiny, episode, chans)
    substeps = len(episode) * tiny.STEPS
    i = np.arange(-(-substeps // period))
    for name, values in truth.items():
        at_reset = 0.0 if name == "f" else values[0]  # the controls are zero until the first action
        for late in lates:
            stream, index = episode.streams[f"{name}{late}"], i * period - late
            expected = np.where((index < 0) | (i == 0), at_reset, values[np.maximum(index, 0)])
            np.testing.assert_array_equal(stream.value[:, 0], expected.astype(np.float32), f"{name} {late}")
            np.testing.assert_array_equal(stream.t_ns, i * period * 2_000_000)


def test_a_latency_between_two_timesteps_is_rounded_up(tiny):
    chans = [tiny.encoder("a", 100, latency_s=0.0031), tiny.encoder("b", 100, latency_s=0.004)]
    episode = rollout(tiny.cart(channels=chans), 0)
    np.testing.assert_array_equal(episode.streams["a"].value, episode.streams["b"].value)


def test_timing_holds_in_a_long_episode_though_clocks_round(tiny):
    chans = [tiny.encoder("now", 500), tiny.encoder("late", 500, latency_s=0.006), tiny.encoder("slow", 20)]
    episode = rollout(tiny.cart(channels=chans, horizon=60.0), 2)
    now, late, slow = (episode.streams[n].value[:, 0] for n in ("now", "late", "slow"))
    np.testing.assert_array_equal(late[3:], now[:-3])
    np.testing.assert_array_equal(slow, now[::25])
    assert len(now) == 30_000


def test_a_rate_that_is_no_whole_number_of_steps_is_refused_with_the_nearest(tiny):
    episode = rollout(tiny.cart(channels=[tiny.encoder(rate_hz=300)]), 0)
    assert episode.outcome.name == "TASK_ERROR"
    assert "300 Hz is no whole number of 0.002 s steps; the nearest rate is 250 Hz" in episode.error


def test_a_reading_is_gain_bias_and_resolution_of_the_true_value(tiny):
    chans = [
        tiny.encoder("true", 100),
        tiny.encoder("wrong", 100, gain=1.02, bias=-0.1),
        tiny.encoder("coarse", 100, gain=1.02, bias=-0.1, resolution=0.01),
    ]
    streams = rollout(tiny.cart(channels=chans), 0).streams
    true, wrong, coarse = (streams[n].value.astype(float) for n in ("true", "wrong", "coarse"))
    np.testing.assert_allclose(wrong, 1.02 * true - 0.1, atol=1e-6)  # float32
    np.testing.assert_allclose(coarse / 0.01, np.round(coarse / 0.01), atol=1e-4)
    assert np.abs(coarse - wrong).max() <= 0.005 + 1e-6
    assert len(np.unique(coarse)) > 3


def test_noise_is_white_with_the_stated_deviation(tiny):
    chans = [tiny.encoder("true", 500), tiny.encoder("noisy", 500, noise=0.02)]
    streams = rollout(tiny.cart(channels=chans, horizon=4.0), 0).streams
    added = (streams["noisy"].value - streams["true"].value)[1:, 0].astype(float)
    n = len(added)
    assert abs(added.mean()) < 5 * 0.02 / np.sqrt(n)
    assert abs(added.std() - 0.02) < 5 * 0.02 / np.sqrt(2 * n)
    assert abs(np.corrcoef(added[1:], added[:-1])[0, 1]) < 5 / np.sqrt(n)


def test_a_lost_sample_repeats_the_one_before_and_the_first_is_never_lost(tiny):
    chans = [tiny.encoder("true", 500), tiny.encoder("lossy", 500, dropout=0.3)]
    for seed in range(3):
        streams = rollout(tiny.cart(channels=chans, horizon=4.0), seed).streams
        true, lossy = streams["true"].value[:, 0], streams["lossy"].value[:, 0]
        fresh = lossy == true
        assert fresh[0]
        np.testing.assert_array_equal(lossy[1:][~fresh[1:]], lossy[:-1][~fresh[1:]])
        assert abs((~fresh).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / len(true))


def test_the_policy_sees_the_numbers_that_are_recorded(tiny):
    chans = [
        tiny.encoder("fast", 500, noise=0.01, dropout=0.1),
        tiny.encoder("slow", 20, noise=0.01, latency_s=0.01, resolution=1e-3),
    ]
    seen = {"fast": [], "slow": []}

    def policy(observation):
        for name, values in seen.items():
            values.append(observation[name].copy())
        return np.ones(1)

    episode = rollout(tiny.cart(channels=chans), 3, policy=policy)
    for name, period in (("fast", 1), ("slow", 25)):
        # at control step t the newest sample is the last one taken before it, at reset the first
        steps = np.arange(len(episode)) * tiny.STEPS
        newest = np.maximum((steps - 1) // period, 0)
        np.testing.assert_array_equal(np.array(seen[name], np.float32), episode.streams[name].value[newest])
        np.testing.assert_array_equal(episode.observations[name][:-1], episode.streams[name].value[newest])


def test_noise_does_not_depend_on_who_rolls_along_or_on_other_channels(tiny):
    noisy = tiny.encoder("noisy", 100, noise=0.01, dropout=0.2)
    alone = rollout(tiny.cart(channels=[noisy]), 4).streams["noisy"].value
    beside = rollouts(tiny.cart(channels=[noisy]), [9, 4, 7])[1].streams["noisy"].value
    with_more = rollout(tiny.cart(channels=[tiny.encoder("x", 100, noise=1.0), noisy]), 4).streams["noisy"].value
    np.testing.assert_array_equal(alone, beside)
    np.testing.assert_array_equal(alone, with_more)


def test_an_instruments_errors_may_differ_from_episode_to_episode(tiny):
    def build(self, p):
        return tiny.cart_spec(p, [tiny.encoder(noise=p.noise)])

    task = tiny.cart(channels=[tiny.encoder()], build=build)
    quiet, loud = (rollout(task, 0, overrides={"noise": v}).streams["encoder"].value for v in (0.0, 0.01))
    assert np.abs(loud - quiet).max() > 0.01
    pair = rollouts(task, [0, 1])
    for seed, episode in enumerate(pair):
        np.testing.assert_array_equal(episode.streams["encoder"].value, rollout(task, seed).streams["encoder"].value)


def test_channels_are_read_back_off_the_compiled_model(tiny):
    chans = [tiny.encoder("a", 100, noise=0.1, latency_s=0.02, doc="the first"), tiny.encoder("b", 50, bias=2.0)]
    spec = tiny.cart_spec(tiny.CartParams(), chans)
    spec.add_sensor(name="plain", type=mujoco.mjtSensor.mjSENS_CLOCK)
    assert channel_width(spec) == 2
    model = compile_model(spec)
    assert channels(model) == tuple(c for _, c in chans)
    assert dataclasses.asdict(channels(model)[0])["doc"] == "the first"


def test_noise_goes_on_past_its_blocks_and_is_the_same_for_whoever_looks_when(tiny):
    """A vector of 50 Hz over 12 s, in company and alone, read at every sample and once a control step."""
    slow = rollouts(tiny.Shove(), range(8), policy=lambda _: np.zeros(1))
    encoder, true = slow[3].streams["encoder"].value, slow[3].observations["x"]
    assert len(encoder) > 2 * BLOCK
    noise = encoder[BLOCK:] - true[0]
    assert np.abs(noise[2:].std(axis=0) - 0.001).max() < 2e-4
    env = TaskEnv(tiny.Shove())
    env.reset(options={"episode_seed": 3})
    for t in range(1, len(slow[3])):
        seen = env.step(np.zeros(1))[0]
        assert seen[3:6].tobytes() == slow[3].observations["encoder"][t].tobytes()
