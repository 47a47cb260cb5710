"""Random streams: one independent generator per (seed, concern, name), never a global one.

A stream is keyed by a stable hash of its name, so that adding a parameter or a channel never shifts another.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np

Concern = Literal["scene", "task", "sensor_noise", "language", "policy"]


def stable_hash(text: str) -> int:
    """Hash text to 64 bits, the same in every process and on every machine (unlike `hash`)."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, concern: Concern, name: str = "") -> np.random.Generator:
    """Return the generator of one concern, and of one name inside it, of one episode.

    Args:
        seed: the episode's seed, 0 to 2**64 - 1.
        concern: what the numbers are for.
        name: the dotted parameter, the channel, or "" for the concern as a whole.
    """
    return np.random.Generator(np.random.PCG64([seed, stable_hash(concern), stable_hash(name)]))


def episode_seed(root_seed: int, episode_id: int) -> int:
    """Derive an episode's seed (u64) from the dataset's root seed and the episode's number alone."""
    words = np.random.SeedSequence([root_seed, episode_id]).generate_state(2, np.uint32)
    return int(words[0]) | int(words[1]) << 32
