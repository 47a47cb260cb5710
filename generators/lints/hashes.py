"""Files by their names and hashes: what is listed is there as it was written, and nothing else is beside it."""

import concurrent.futures
import re
from collections.abc import Mapping
from pathlib import Path

from generators.capped import read_capped
from generators.lints.runs import Run
from generators.media.writer import MEDIA
from generators.reader import file_sha256
from generators.schema import CHECKSUMS, SHARDS
from sim.errors import describe_error

MAX_PATH = 1000  # letters


def compare_hashes(run: Run, workers: int) -> tuple[list[str], list[str]]:
    """Compare every file's hash; return the shards that are right and those that are not, media/ before pictures."""
    listed = {f"{SHARDS}/{s['name']}": str(s.get("file_sha256", "")) for s in run.manifest["shards"]}
    expected = _checksums(run, "", listed) | listed
    pictures = [s for entry in run.manifest.get("media", {}).values() for s in entry["shards"]]
    if pictures:
        drawn = {f"{MEDIA}/{s['name']}": str(s.get("file_sha256", "")) for s in pictures}
        expected |= _checksums(run, f"{MEDIA}/", drawn) | drawn
        listed |= drawn
    present = {n for n in expected if _is_file(run, n)}
    _strays(run, {*expected, f"{MEDIA}/{CHECKSUMS}"})
    good: list[str] = []
    damaged: list[str] = []
    with concurrent.futures.ThreadPoolExecutor(max(1, workers)) as pool:
        names = sorted(present)
        for name, found in zip(names, pool.map(file_sha256, [run.folder / n for n in names]), strict=True):
            run.files += 1
            run.bytes += (run.folder / name).stat().st_size
            run.progress("hashes", run.files, len(names))
            shard = name.removeprefix(f"{SHARDS}/")
            if found == expected[name]:
                if name in listed:
                    good.append(shard)
            elif name in listed:
                damaged.append(shard)
            else:
                run.add("hash", name, "", f"its hash is {found}, expected {expected[name]}")
    return good, damaged


def _checksums(run: Run, folder: str, listed: Mapping[str, str]) -> dict[str, str]:
    """Read a SHA256SUMS; where it and dataset.json disagree, dataset.json holds.

    Args:
        run: the validation.
        folder: where it is, "" or "media/".
        listed: what dataset.json lists of it.
    """
    out: dict[str, str] = {}
    sums = f"{folder}{CHECKSUMS}"
    try:
        text = read_capped(run.folder / sums, within=run.folder).decode("utf-8")
    except (OSError, ValueError) as error:
        run.add("sums", sums, "", f"it cannot be read: {describe_error(error)}")
        return out
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None or not _is_inside(match[2]):
            run.add("sums", sums, "", f"a line is no hash and name of a file in the dataset: {line[:80]!r}")
        else:
            out[folder + match[2]] = match[1]
    for name, digest in listed.items():
        if out.get(name, digest) != digest:
            run.add("sums", name.removeprefix(f"{SHARDS}/"), "", f"{sums} and dataset.json give it different hashes")
        elif name not in out:
            run.add("sums", name.removeprefix(f"{SHARDS}/"), "", f"{sums} does not list it")
    return out


def _is_inside(name: str) -> bool:
    path = Path(name)
    return name.isprintable() and len(name) < MAX_PATH and not path.is_absolute() and ".." not in path.parts


def _is_file(run: Run, name: str) -> bool:
    path = run.folder / name
    try:
        inside = path.resolve().is_relative_to(run.folder.resolve())
        if path.is_file() and inside:
            return True
    except (OSError, RuntimeError):  # a name that no file can have, or links that lead in circles
        inside = True
    lint, message = ("missing", "it is missing") if inside else ("link", "it is a link out of the dataset")
    run.add(lint, name.removeprefix(f"{SHARDS}/"), "", message)
    return False


def _strays(run: Run, expected: set[str]) -> None:
    """Report what nobody listed beside the data, and temporary names that a killed writer left."""
    for path in sorted(run.folder.rglob("*")):
        name = path.relative_to(run.folder).as_posix()
        if path.name.startswith(".") and path.suffix == ".tmp":
            run.add("temporary", name, "", "a writer that was killed left it; it can be deleted")
        elif name.startswith((f"{SHARDS}/", "media/")) and not path.is_dir() and name not in expected:
            run.add("stray", name.removeprefix(f"{SHARDS}/"), "", "it belongs to no shard that dataset.json lists")
