"""Which episodes belong together when a dataset is split, and which part each group goes to.

A group is never divided. By default it is a scene: one task with one model; what has no model stands alone.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from generators.schema import DatasetError
from generators.tables import column_of

SCENE = "scene"  # the default: task and model
FEW_GROUPS = 500  # more of them fit well enough as they come
MOST_EXCHANGES = 200

Edges = dict[str, list[float]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def read_by(by: Sequence[str]) -> list[tuple[str, int]]:
    """Take apart what episodes are grouped by: names, with a number of bins or 0.

    Args:
        by: "scene", columns or parameters, "friction:10" for ten bins of equal width.

    Raises:
        DatasetError: a number of bins that is none.
    """
    out: list[tuple[str, int]] = []
    for text in by:
        name, colon, bins = text.rpartition(":")
        if not colon:
            out.append((text, 0))
        elif not bins.isdigit() or not 2 <= int(bins) <= 10_000:
            raise DatasetError(f"--by {text!r}: after the colon goes a number of bins, 2 to 10000, got {bins!r}")
        else:
            out.append((name, int(bins)))
    return out


def bin_edges(table: pa.Table, by: Sequence[str]) -> Edges:
    """Return for each name with bins their edges, from its least to its largest value.

    Raises:
        DatasetError: the values are no numbers, or there are none.
        UnknownNameError: there is no such name.
    """
    out: Edges = {}
    for name, bins in read_by(by):
        if bins:
            values, known = column_of(table, name)
            if values.dtype == object:
                raise DatasetError(f"{name!r} is text and has no bins: give it without ':{bins}'")
            if not known.any():
                raise DatasetError(f"no episode has a value of {name!r}")
            numbers = values[known].astype(np.float64)
            out[name] = np.linspace(numbers.min(), numbers.max(), bins + 1).tolist()
    return out


def group_keys(table: pa.Table, by: Sequence[str], edges: Mapping[str, Sequence[float]]) -> list[str]:
    """Return each episode's group as a text.

    Args:
        table: one row an episode.
        by: what episodes are grouped by; empty or "scene": by task and model.
        edges: of the names with bins.

    Raises:
        UnknownNameError: there is no such name.
    """
    parts: list[list[Any]] = []
    for name, bins in read_by(by or (SCENE,)):
        if name == SCENE and SCENE not in table.column_names:
            parts += _scenes(table)
            continue
        values, known = column_of(table, name)
        if bins:
            inner = np.asarray(edges[name], np.float64)[1:-1]
            values = np.searchsorted(inner, values.astype(np.float64), side="right")
        parts.append([v if k else None for v, k in zip(values.tolist(), known.tolist(), strict=True)])
    return [json.dumps(key) for key in zip(*parts, strict=True)]


def identities(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return for each episode what makes it what it is: task, seed and model.

    One without a model, which was imported or failed to build, is known by its dataset and number only.
    """
    tasks, models, seeds = (table.column(n).to_pylist() for n in ("task", "model_sha256", "episode_seed"))
    known = zip(seeds, models, _numbers(table), strict=True)
    return [(task, seed, model) if model else (task, *at) for task, (seed, model, at) in zip(tasks, known, strict=True)]


def _scenes(table: pa.Table) -> list[list[Any]]:
    tasks, models = (table.column(n).to_pylist() for n in ("task", "model_sha256"))
    return [tasks, [model or at for model, at in zip(models, _numbers(table), strict=True)]]


def _numbers(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return each episode's dataset, "" where all come from one, and its number in it."""
    ids = table.column("episode_id").to_pylist()
    sources = table.column("source").to_pylist() if "source" in table.column_names else [""] * len(ids)
    return list(zip(sources, ids, strict=True))


def put_into_parts(keys: Sequence[str], shares: Mapping[str, float], seed: int) -> NDArray[np.int64]:
    """Choose a part for each episode so that groups stay whole and shares are met as well as groups allow.

    Groups come in an order that depends on nothing but the seed and their keys; each goes to the part that lacks most
    episodes, then groups change places where that helps. No part stays empty.

    Args:
        keys: (n,) each episode's group.
        shares: part -> its share of the episodes.
        seed: another one, another split.

    Returns:
        (n,) number of the part.

    Raises:
        DatasetError: there are fewer groups than parts.
    """
    sizes: dict[str, int] = {}
    for key in keys:
        sizes[key] = sizes.get(key, 0) + 1
    if len(sizes) < len(shares):
        raise DatasetError(f"{len(sizes)} groups cannot be put into {len(shares)} parts: groups stay whole")
    order = sorted(sizes, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    counts = np.array([sizes[key] for key in order], np.int64)
    wanted = np.array(list(shares.values()), np.float64)
    part = _improved(counts, *_in_turn(counts, wanted / wanted.sum() * len(keys)))
    chosen = dict(zip(order, part.tolist(), strict=True))
    return np.array([chosen[key] for key in keys], np.int64)


def _in_turn(sizes: Ints, lacking: Floats) -> tuple[Ints, Floats]:
    """Give each group to the part that lacks most; return the groups' parts and what each part still lacks."""
    lacking, part = lacking.copy(), np.zeros(len(sizes), np.int64)
    empty = set(range(len(lacking)))
    for i, size in enumerate(sizes.tolist()):
        among = sorted(empty) if len(sizes) - i <= len(empty) else range(len(lacking))
        part[i] = max(among, key=lambda p: (lacking[p], -p))
        lacking[part[i]] -= size
        empty.discard(int(part[i]))
    return part, lacking


def _improved(sizes: Ints, part: Ints, lacking: Floats) -> Ints:
    """Exchange groups of two parts while that brings the parts closer to their shares; as many groups stay in each."""
    for _ in range(MOST_EXCHANGES if len(sizes) <= FEW_GROUPS else 0):
        mine = lacking[part]
        more = sizes[None, :] - sizes[:, None]  # what the part of i gets if i and j change places
        gain = mine[:, None] ** 2 + mine[None, :] ** 2 - (mine[:, None] - more) ** 2 - (mine[None, :] + more) ** 2
        gain[part[:, None] == part[None, :]] = 0
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[i, j] <= 1e-9:
            break
        lacking[part[i]] -= more[i, j]
        lacking[part[j]] += more[i, j]
        part[i], part[j] = part[j], part[i]
    return part
