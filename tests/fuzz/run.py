"""Fuzz a target: python -m tests.fuzz.run TARGET [--runs N] [--out FOLDER] [--seconds S]; sh tests/fuzz.sh makes its venv.

A finding is what is raised that is no error of ours, more than a second by the clock on the wall (the second time as well, for
other processes take their share), more than 200 MB over what the process, or the child that examines HDF5, has after the seeds, or
the end of the process. Each is written to FOLDER, and fuzzing goes on; at the end the figures are printed.
"""

import argparse
import contextlib
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

SLOW_S = 1.0
MEMORY_MB = 200
MAX_LEN = {"shard": 1 << 17, "media": 1 << 16, "robomimic": 1 << 16, "query": 512, "config": 4096, "about": 4096}
MAX_LEN |= {"table": 8192, "log": 2048}
WORDS = {
    "described": '[] {} "" null true NaN -1 1e308 1e999 18446744073709551616 .. / \\\\u0000 \\\\ud800 shards rows source sources media tasks',
    "config": "&a *a <<: !!python/object !!binary !!set ? | > .inf .nan 0x 1e308 tasks: cameras: parameters: size: null ~",
    "about": "&a *a <<: !!binary | > ~ ja: en: kind: license: MIT AND OR WITH ( ) creator: custody: url: https://",
    "query": "and or not in == != <= >= < > + - * / ** abs( return ` ' [ ] ( ) 1e308 nan inf length outcome lambda __import__",
    "log": '[] {} "" null true NaN -1 1e999 18446744073709551616 stamp file_sha256 episodes physics_sha256 media outcomes',
}


class Watch:
    """Runs a target, keeps what it finds and counts."""

    def __init__(self, name: str, out: Path, runs: int, done: int) -> None:
        from tests.fuzz import targets
        from tests.fuzz.seeds import make_whole, seeds

        self.name, self.out, self.runs, self.done, self.good = name, out, runs, done, 0
        self.place = targets.folder()
        make_whole(self.place)
        self.target = targets.guarded(targets.TARGETS[name](self.place))
        self.seeds = seeds(name, self.place, targets.FILES)
        self.found: dict[str, int] = {}
        self.slowest, self.peak_mb, self.start = (0.0, ""), 0.0, time.perf_counter()
        self.has_child, self.child_mb, self.targets = name in targets.HDF5, 0.0, targets
        for data in self.seeds:
            self.target(data)
        self.base_mb, self.child_base_mb = _peak_mb(), targets.child_peak_mb()
        targets.ENDED.clear()

    def __call__(self, data: bytes) -> None:
        """Run one input."""
        if self.has_child:
            self.targets.start_child(self.place)
        begin = time.perf_counter()
        (self.out / "last").write_bytes(data) if self.has_child or self.name == "table" else None
        try:
            self.good += self.target(data)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self._keep(f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}", data)
        taken = time.perf_counter() - begin
        if taken > SLOW_S:
            taken = min(taken, self._again(data))
        if taken > self.slowest[0]:
            self.slowest = taken, self._keep("slowest", data, count=False)
        if taken > SLOW_S:
            self._keep("slow", data)
        if _peak_mb() - self.base_mb > max(MEMORY_MB, self.peak_mb):
            self.peak_mb = _peak_mb() - self.base_mb
            self._keep("memory", data)
        if self.has_child and (more := self.targets.child_peak_mb() - self.child_base_mb) > self.child_mb:
            self.child_mb = more
            if more > MEMORY_MB:
                self._keep("memory-of-child", data)
        self.done += 1
        if self.done % 200 == 0 or self.done >= self.runs:
            self.tell()

    def _again(self, data: bytes) -> float:
        if self.has_child:
            self.targets.start_child(self.place)
        begin = time.perf_counter()
        with contextlib.suppress(Exception):
            self.target(data)
        return time.perf_counter() - begin

    def _keep(self, what: str, data: bytes, *, count: bool = True) -> str:
        if count:
            self.found[what] = self.found.get(what, 0) + 1
        if self.found.get(what, 0) > 3:
            return ""
        path = self.out / (what if not count else f"{what}-{hashlib.sha256(data).hexdigest()[:8]}")
        path.write_bytes(data)
        return path.name

    def tell(self) -> None:
        """Write the figures so far."""
        figures = {
            "done": self.done,
            "good": self.good,
            "wall_s": time.perf_counter() - self.start,
            "cpu_s": time.process_time(),
            "over_baseline_mb": _peak_mb() - self.base_mb,
            "baseline_mb": self.base_mb,
            "slowest_s": self.slowest[0],
            "child_mb": self.child_mb,
            "ended": self.targets.ENDED,
            "found": self.found,
            "place": str(self.place),
        }
        (self.out / "figures.json").write_text(json.dumps(figures))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(name: str, out: Path, runs: int, done: int, seconds: int) -> None:
    """Fuzz in this process until it has done its runs, or ends."""
    import atheris

    with atheris.instrument_imports(include=["generators", "yaml", "packaging"]):
        from tests.fuzz import seeds, targets  # noqa: F401 - here, to be instrumented

    watch = Watch(name, out, runs, done)
    corpus = out / "corpus"
    corpus.mkdir(exist_ok=True)
    for i, data in enumerate(watch.seeds):
        (corpus / f"seed-{i}").write_bytes(data)
    flags = [f"-runs={runs - done}", "-timeout=20", f"-rss_limit_mb={int(watch.base_mb) + 2000}", "-verbosity=0"]
    flags += [f"-max_len={MAX_LEN.get(name, 16384)}", f"-max_total_time={seconds}", f"-artifact_prefix={out}/process-"]
    if name in WORDS:
        words = [w for w in WORDS[name].split(" ") if w]
        (out / "words").write_text(
            "".join(f'"{w if chr(92) in w else w.replace(chr(34), chr(92) + chr(34))}"\n' for w in words)
        )
        flags.append(f"-dict={out}/words")
    regressions = Path(__file__).parent / "corpus" / name
    atheris.Setup([sys.argv[0], *flags, str(corpus), *([str(regressions)] if regressions.is_dir() else [])], watch)
    try:
        atheris.Fuzz()
    finally:
        from tests.fuzz import targets as made

        watch.tell()
        made.clean()


def main() -> int:
    """Start children until the runs or the seconds are over; print the figures; return 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--out", type=Path, default=Path(".venv/fuzz/found"))
    parser.add_argument("--child", type=int, default=-1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    out = (asked.out / asked.target).resolve()
    out.mkdir(parents=True, exist_ok=True)
    if asked.child >= 0:
        child(asked.target, out, asked.runs, asked.child, asked.seconds)
        return 0
    total: dict[str, float] = {"done": 0, "good": 0, "wall_s": 0, "cpu_s": 0}
    worst = {"over_baseline_mb": 0.0, "baseline_mb": 0.0, "slowest_s": 0.0, "child_mb": 0.0}
    found: dict[str, int] = {}
    ended: dict[str, int] = {}
    deadline = time.monotonic() + asked.seconds
    while total["done"] < asked.runs and time.monotonic() < deadline - 2:
        (out / "figures.json").unlink(missing_ok=True)
        left = max(2, int(deadline - time.monotonic()))
        command = [sys.executable, "-m", "tests.fuzz.run", asked.target, "--out", str(asked.out)]
        command += ["--runs", str(asked.runs), "--seconds", str(left), "--child", str(int(total["done"]))]
        with (out / "log").open("wb") as log:
            code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
        figures = (
            json.loads((out / "figures.json").read_text())
            if (out / "figures.json").exists()
            else {"done": total["done"]}
        )
        shutil.rmtree(figures.get("place", out / "none"), ignore_errors=True)  # a fuzzer's end runs no code of ours
        advanced = figures["done"] - total["done"]
        total["done"] = figures["done"]
        for key in ("good", "wall_s", "cpu_s"):
            total[key] += figures.get(key, 0)
        worst = {key: max(value, figures.get(key, 0)) for key, value in worst.items()}
        for what, times in figures.get("found", {}).items():
            found[what] = found.get(what, 0) + times
        for what, times in figures.get("ended", {}).items():
            ended[what] = ended.get(what, 0) + times
        if code:
            found[f"process ended with {code}"] = found.get(f"process ended with {code}", 0) + 1
            if (out / "last").exists():
                (out / "last").rename(out / f"ended-{int(total['done'])}")
            if advanced <= 0 and found[f"process ended with {code}"] > 20:
                break
    rate = total["done"] / max(total["cpu_s"], 1e-9)
    print(
        f"{asked.target}: {total['done']:.0f} executions ({total['good']:.0f} good inputs), {rate:.0f} a second of processor time, "
        f"{total['cpu_s']:.0f} s; peak memory {worst['over_baseline_mb']:.0f} MB over {worst['baseline_mb']:.0f} MB; "
        f"slowest input {worst['slowest_s']:.3f} s; the child that examines: {worst['child_mb']:.0f} MB over its start at most, "
        f"ended by {json.dumps(ended) if ended else 'none'}; findings: {json.dumps(found) if found else 'none'}"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
