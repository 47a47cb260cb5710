"""The texts that travel in a compiled model: what its cameras and channels mean."""

import mujoco


def texts(model: mujoco.MjModel) -> dict[str, str]:
    """Return a model's texts by name."""
    found: dict[str, str] = {}
    for i in range(model.ntext):
        start, size = int(model.text_adr[i]), int(model.text_size[i])
        name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_TEXT, i)
        found[name] = bytes(model.text_data[start : start + size]).rstrip(b"\0").decode()
    return found
