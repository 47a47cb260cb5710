"""Damage to a dataset between two runs. Each function returns what it did, or None where there was nothing to hurt."""

import random
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, random.Random], str | None]


def _flip(folder: Path, rng: random.Random) -> str | None:
    path = _any(folder, "shards/*.h5", rng)
    return None if path is None else _turn(path, rng)


def _turn(path: Path, rng: random.Random) -> str:
    raw = bytearray(path.read_bytes())
    place, bit = rng.randrange(len(raw)), rng.randrange(8)
    raw[place] ^= 1 << bit
    path.write_bytes(raw)
    return f"{path.name}: bit {bit} of byte {place}"


def _cut(folder: Path, rng: random.Random) -> str | None:
    path = _any(folder, "shards/*.h5", rng)
    return None if path is None else _shorten(path, rng)


def _delete(folder: Path, rng: random.Random) -> str | None:
    path = _any(folder, "shards/*.h5", rng)
    if path is None:
        return None
    path.unlink()
    return f"{path.name} deleted"


def _report(folder: Path, rng: random.Random) -> str | None:
    return _harm(folder, "logs/shard-*.json", rng)


def _piece(folder: Path, rng: random.Random) -> str | None:
    return _harm(folder, "pieces/*.parquet", rng)


def _book(folder: Path, rng: random.Random) -> str | None:
    return _harm(folder, "batches/*.json", rng)


def _harm(folder: Path, pattern: str, rng: random.Random) -> str | None:
    path = _any(folder, pattern, rng)
    return None if path is None else rng.choice((_turn, _shorten, _noise, _gone))(path, rng)


def _manifest(folder: Path, rng: random.Random) -> str | None:
    path = _any(folder, "dataset.json", rng)
    return None if path is None else rng.choice((_shorten, _gone))(path, rng)


def _leftovers(folder: Path, rng: random.Random) -> str | None:
    number = rng.randrange(1000, 100_000)
    names = (f"shards/.shard-00003.h5.{number}.tmp", f"logs/.shard-00004.json.{number}.tmp", f".plan.json.{number}.tmp")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(rng.randbytes(rng.randrange(1, 100_000)))
    return ", ".join(names)


DAMAGES: dict[str, Damage] = {
    "shard flipped": _flip,
    "shard cut": _cut,
    "shard deleted": _delete,
    "report damaged": _report,
    "manifest damaged": _manifest,
    "piece damaged": _piece,
    "book damaged": _book,
    "leftovers": _leftovers,
}


def _any(folder: Path, pattern: str, rng: random.Random) -> Path | None:
    found = sorted(folder.glob(pattern))
    return rng.choice(found) if found else None


def _shorten(path: Path, rng: random.Random) -> str:
    raw = path.read_bytes()
    kept = rng.randrange(len(raw))
    path.write_bytes(raw[:kept])
    return f"{path.name}: {kept} of {len(raw)} bytes kept"


def _noise(path: Path, rng: random.Random) -> str:
    path.write_bytes(rng.randbytes(len(path.read_bytes())))
    return f"{path.name}: noise"


def _gone(path: Path, rng: random.Random) -> str:
    path.unlink()
    return f"{path.name} deleted"
