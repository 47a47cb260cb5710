"""`genba env`: what a bug report needs, and whether another package hides one of ours.

Rule: imports nothing of genba's before it has looked where that would come from.
"""

import dataclasses
import importlib.metadata
import importlib.util
import ipaddress
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from generators.commands._options import parse

_VERSIONS = ("genba", "mujoco", "gymnasium", "numpy", "h5py", "ray", "pyarrow")
_PACKAGES = ("sim", "scenes", "generators")
_VARIABLES = ("MUJOCO_GL", "PYOPENGL_PLATFORM", "DISPLAY", "OMP_NUM_THREADS", "RAY_ADDRESS", "RAY_AUTH_MODE")
_LISTEN = "0A"  # Linux, include/net/tcp_states.h


@dataclasses.dataclass(frozen=True)
class Options:
    """Tell versions, places, graphics settings and listening ports: paste this into a bug report.

    Examples:
      genba env
      genba env --json
    """

    json: bool = False
    """Print the facts as JSON."""


def main(argv: list[str]) -> int:
    """Run the command; 3 where a package of ours is hidden by another one."""
    options = parse(Options, argv, "genba env")
    facts = environment()
    print(json.dumps(facts, indent=1) if options.json else "\n".join(_lines(facts)))
    for package, place in foreign(facts["places"]).items():
        print(
            f"genba: package {package!r} is not genba's but another one at {place}; "
            f"remove it or put {Path(__file__).parents[2]} first on PYTHONPATH",
            file=sys.stderr,
        )
    return 3 if foreign(facts["places"]) else 0


def environment() -> dict[str, Any]:
    """Collect the facts as plain data."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _VERSIONS},
        "platform": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "variables": {name: os.environ.get(name) for name in _VARIABLES},
        "places": {name: _place(name) for name in _PACKAGES},
        "rendering": _rendering(),
        "listening": [
            {"process": name, "pid": pid, "address": address, "port": port}
            for pid, name in _processes().items()
            for address, port in listening(pid)
        ],
    }


def _rendering() -> dict[str, Any]:
    """Return what draws pictures here, or why nothing does."""
    try:
        from sim.render import renderer

        drawer = renderer()
        return {"backend": drawer.backend, "device": drawer.device, "kinds": list(drawer.kinds)}
    except Exception as error:  # whatever is wrong with a machine is what this command is for
        return {"backend": None, "device": f"{type(error).__name__}: {error}", "kinds": []}


def foreign(places: dict[str, str]) -> dict[str, str]:
    """Return the packages that do not lie beside this one: they hide genba's."""
    home = Path(__file__).resolve().parents[2]
    return {name: place for name, place in places.items() if Path(place).resolve() != home / name}


def listening(pid: int) -> list[tuple[str, int]]:
    """Return the (address, port) pairs on which a process accepts TCP connections; empty where it may not be read."""
    root = Path("/proc") / str(pid)
    try:
        inodes = {_inode(link) for link in (root / "fd").iterdir()}
        tables = [(root / "net" / name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    except OSError:
        return []
    found: set[tuple[str, int]] = set()
    for line in [line for table in tables for line in table]:
        fields = line.split()
        if fields[3] == _LISTEN and fields[9] in inodes:
            address, _, port = fields[1].partition(":")
            found.add((_address(address), int(port, 16)))
    return sorted(found)


def _inode(link: Path) -> str:
    """Return the number of the socket behind a file descriptor, "" for none."""
    try:
        target = os.readlink(link)  # noqa: PTH115 - "socket:[123]" is no path
    except OSError:
        return ""
    return target[8:-1] if target.startswith("socket:[") else ""


def _address(text: str) -> str:
    """Decode an address of /proc/net/tcp*: 32-bit words in the machine's byte order."""
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _processes() -> dict[int, str]:
    """Return this process and those of a Ray that runs here, by pid."""
    out = {os.getpid(): "genba"}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            args = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        name = Path(args[0]).name
        if name in ("raylet", "gcs_server") or args[0].startswith("ray::"):
            out[int(path.parent.name)] = name
        elif any("/ray/dashboard/" in a or "/ray/_private/" in a for a in args[:4]):
            script = next(a for a in args if "/ray/" in a)
            out[int(path.parent.name)] = f"ray {Path(script).stem}"
    return out


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _place(package: str) -> str:
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return places[0] if places else "not found"


def _lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"{name:<12} {version}" for name, version in facts["versions"].items()]
    lines += [f"{'platform':<12} {facts['platform']}, {facts['cpus']} processors"]
    drawn = facts["rendering"]
    lines += [f"{'rendering':<12} {drawn['backend']} on {drawn['device']}: {', '.join(drawn['kinds']) or 'nothing'}"]
    lines += [f"{name:<12} {place}" for name, place in facts["places"].items()]
    lines += [f"{name} is {'not set' if value is None else repr(value)}" for name, value in facts["variables"].items()]
    for port in facts["listening"]:
        address = f"[{port['address']}]" if ":" in port["address"] else port["address"]
        lines.append(f"listening    {address}:{port['port']} ({port['process']}, process {port['pid']})")
    if not facts["listening"]:
        lines.append("listening    nothing: neither this process nor a Ray on this machine")
    lines.append(
        "note         a local Ray listens on all interfaces; genba starts it with a token (RAY_AUTH_MODE=token)"
    )
    return lines
