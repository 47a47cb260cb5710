"""Reads shards that nobody has vouched for in child processes, with limits on memory and time.

Whatever such a file does to HDF5 ends a child, never its parent, and is a finding.
"""

import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from generators.examination import examine_here, say_ending, start_python
from generators.lints.shards import check_shard
from generators.lints.tables import check_tables
from generators.media.invariants import check_media, find_media_damage
from generators.reader import find_damage

MEMORY_BYTES = 8 << 30  # address space of a child
SECONDS = 60  # for a child to read a shard, plus one for every SLOWEST bytes
SLOWEST = 10 << 20
SLOWEST_PIXELS = 2_000_000  # a second, of pictures that dataset.json says are there
DAY = 86400
STRUCTURE = "file structure"
_SERVE = "from generators.sandbox import serve; serve()"


def run_jobs(folder: Path, jobs: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Do jobs in child processes, one after the other; a child that ends early has found its job's shard to be bad."""
    left = list(jobs)
    while left:
        with tempfile.TemporaryFile() as task, tempfile.TemporaryFile() as errors:
            limits = {"memory": MEMORY_BYTES, "seconds": SECONDS}
            task.write(json.dumps({"folder": str(folder), "jobs": left} | limits).encode())
            task.seek(0)
            with start_python(_SERVE, task, errors) as child:
                assert child.stdout is not None
                for line in child.stdout:
                    with contextlib.suppress(ValueError):
                        result = json.loads(line)
                        yield left.pop(0), result
            if left:
                errors.seek(0)
                why = say_ending(child.returncode, errors.read().decode(errors="replace"))
                yield left.pop(0), {"findings": [("structure", "", f"{STRUCTURE}: reading it {why}")]}


def serve() -> None:
    """Be a child: read jobs from standard input, write one line of JSON for each."""
    import resource

    examine_here()
    asked = json.load(sys.stdin)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], hard))
    for job in asked["jobs"]:
        path = Path(asked["folder"]) / job["name"]
        size = path.stat().st_size + int(job.get("bytes", 0))
        seconds = asked["seconds"] + size // SLOWEST + int(job.get("pixels", 0)) // SLOWEST_PIXELS
        signal.alarm(min(seconds, DAY))  # unhandled: ends the process wherever it hangs
        result = do_job(path, job)
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


def do_job(path: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Do one job, in this process."""
    if "settings" in job:
        return _check_media(path, job)
    if job.get("damaged"):
        return {"findings": _locate(find_damage(path))}
    return check_tables(path) if job.get("tables") else check_shard(path, job["known"])


def _check_media(path: Path, job: dict[str, Any]) -> dict[str, Any]:
    if job.get("damaged"):
        found = find_media_damage(path)
        return {"findings": [("hash", c, f"the file is damaged here: {m}") for c, m in found if c] or _locate(found)}
    return check_media(path, Path(job["shard"]), job["settings"])


def _locate(found: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    named = [("hash", column, "its checksum is wrong: the file is damaged here") for column, _ in found if column]
    if named:
        return named
    why = found[0][1] if found else "every column can be read"
    return [("hash", "", f"{STRUCTURE}: the file's hash is wrong; {why}")]
