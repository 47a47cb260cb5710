"""sim.math against MuJoCo's own functions and against closed forms."""

import mujoco
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim.math import axis_angle_quat, multiply_quat, rotate, tilt, wrap

ROUNDING = 1e-12
numbers = st.floats(-3.0, 3.0)
vectors = arrays(float, 3, elements=numbers)
axes = vectors.filter(lambda v: np.linalg.norm(v) > 0.1).map(lambda v: v / np.linalg.norm(v))


@given(axes, numbers)
def test_an_axis_and_an_angle_make_the_quaternion_that_mujoco_makes(axis, angle):
    expected = np.empty(4)
    mujoco.mju_axisAngle2Quat(expected, axis, angle)
    np.testing.assert_allclose(axis_angle_quat(axis, angle), expected, atol=ROUNDING)


@given(axes, numbers, axes, numbers)
def test_a_product_of_quaternions_is_mujocos(axis_a, angle_a, axis_b, angle_b):
    a, b, expected = axis_angle_quat(axis_a, angle_a), axis_angle_quat(axis_b, angle_b), np.empty(4)
    mujoco.mju_mulQuat(expected, a, b)
    np.testing.assert_allclose(multiply_quat(a, b), expected, atol=ROUNDING)


@given(axes, numbers, vectors)
def test_rotating_a_vector_is_what_mujoco_does(axis, angle, vector):
    quat, expected = axis_angle_quat(axis, angle), np.empty(3)
    mujoco.mju_rotVecQuat(expected, vector, quat)
    np.testing.assert_allclose(rotate(quat, vector), expected, atol=1e-11)


def test_leading_axes_are_free():
    rng = np.random.default_rng(0)
    quats = axis_angle_quat([0.0, 0.0, 1.0], rng.uniform(-3, 3, (4, 5)))
    vectors = rng.normal(size=(4, 5, 3))
    rotated = rotate(multiply_quat(quats, quats), vectors)
    assert rotated.shape == (4, 5, 3)
    np.testing.assert_array_equal(rotated[2, 3], rotate(multiply_quat(quats[2, 3], quats[2, 3]), vectors[2, 3]))


@given(st.floats(0.0, np.pi), st.floats(-3.0, 3.0))
def test_the_tilt_of_a_tilted_frame_is_the_angle_it_was_tilted_by(angle, turn):
    quat = multiply_quat(axis_angle_quat([0.0, 0.0, 1.0], turn), axis_angle_quat([1.0, 0.0, 0.0], angle))
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, quat)
    # arccos near +-1 turns a rounding of 1e-16 into 1e-8
    np.testing.assert_allclose(tilt(matrix), angle, atol=1e-7)


@given(st.floats(-100.0, 100.0))
def test_a_wrapped_angle_is_in_range_and_the_same_angle(angle):
    wrapped = wrap(angle)
    assert -np.pi <= wrapped < np.pi
    np.testing.assert_allclose([np.cos(wrapped), np.sin(wrapped)], [np.cos(angle), np.sin(angle)], atol=1e-12)


def test_half_a_turn_wraps_to_minus_half_a_turn():
    assert wrap(np.pi) == -np.pi
