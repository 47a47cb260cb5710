"""A dataset as MCAP recordings for people who look, one file an episode: Foxglove, Lichtblick and Rerun open them.

MCAP, not Rerun's .rrd, for it is better kept: its Python packages have been at 1.x since 2023, the writer is pure
Python, and Rerun's viewer reads it too. rerun-sdk is at 0.41 with a new minor version every few weeks, its viewers read
files from 0.23 on, and its Python reader of files is experimental (2026). Nothing is resampled: each stream, camera and
text has its own times.
"""

import heapq
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.export.content import Asked, Content, Done, Exported, Picture, choose, exported
from generators.export.mcap_messages import (
    Message,
    Recording,
    calibration,
    check_installed,
    compressed,
    field_names,
    labels,
    log,
    numbers_type,
    raw,
    transform,
)
from generators.files import whole_folder
from generators.media.codecs import encode_picture
from generators.stored import StoredEpisode
from sim.cameras import LEVELS
from sim.episode import Outcome

Array = NDArray[Any]

PEER = "mcap 1 with foxglove's schemas"
FILE = "episode-{:06d}.mcap"
INSTRUCTION, EVENTS, TRANSFORMS = "/instruction", "/events", "/tf"
_RESULT = {"reward": "f", "success": "b", "terminated": "b", "truncated": "b"}
_BLOCK_BYTES = 32 << 20
_LABEL_PIXELS = 12  # fewer of a segment have no label


def export(dataset: Path, out: Path, asked: Asked | None = None, *, done: Done | None = None) -> Exported:
    """Write a dataset as <out>/episode-000000.mcap ...

    Args:
        dataset: its folder.
        out: the folder to make.
        asked: what goes; the method of resampling has no meaning here.
        done: called with the share that is done.

    Raises:
        ExportError: nothing is left to export.
        DatasetError: the dataset is damaged, or out is taken.
        MissingExtraError: the package mcap is not installed.
    """
    check_installed()
    with Dataset(dataset) as data:
        content = choose(data, asked or Asked())
        types = _types(content)
        with whole_folder(out) as folder:
            for number, episode in content.walk(done or (lambda _: None)):
                path = folder / FILE.format(number)
                with Recording(path, _facts(content, episode), _metadata(content, types)) as recording:
                    for message in heapq.merge(*_tracks(content, types, episode), key=lambda m: m.t_ns):
                        recording.write(message)
            facts = {"resampling": None, "pictures_between": None, "times": "ns since the episode's start"}
            content.write_sidecar(folder, PEER, _carried(content), facts)
        return exported(PEER, out, content, ["open in Foxglove, Lichtblick or Rerun's viewer (rerun FILE)"])


def _numbers(content: Content) -> dict[str, str]:
    """Return topic -> path of every column that goes as plain numbers."""
    out = {"/action": "steps/action"}
    out |= {f"/observations/{name}": f"obs/{name}" for name in content.observations}
    return out | {f"/streams/{name}": f"streams/{name}/value" for name in content.streams}


def _types(content: Content) -> dict[str, Any]:
    """Return topic -> type of its messages of plain numbers."""
    out: dict[str, Any] = {}
    for topic, path in _numbers(content).items():
        known = content.columns[path]
        names = field_names(int(np.prod(known["shape"])), known["names"])
        out[topic] = numbers_type(topic[1:].replace("/", "."), dict.fromkeys(names, "f"))
    return out | {"/result": numbers_type("result", _RESULT)}


def _tracks(content: Content, types: Mapping[str, Any], episode: StoredEpisode) -> list[Iterator[Message]]:
    """Return iterators of messages, each in the order of its times."""
    times = content.times(episode)
    streams = episode.streams if content.streams else {}
    tracks = [iter(_texts(episode)), iter(_events(episode, times))]
    tracks.append(_rows("/action", types, times[:-1], episode.actions))
    result = [episode.array(f"steps/{name}") for name in _RESULT]
    tracks.append(_rows("/result", types, times[1:], np.stack(result, axis=1)))
    tracks += [_rows(f"/observations/{n}", types, times, episode.array(f"obs/{n}")) for n in content.observations]
    tracks += [_rows(f"/streams/{n}", types, streams[n].t_ns, streams[n].value) for n in content.streams]
    tracks += [_poses(episode, camera) for camera in sorted({p.camera for p in content.pictures})]
    return tracks + [_pictures(episode, picture) for picture in content.pictures]


def _rows(topic: str, types: Mapping[str, Any], t_ns: Array, values: Array) -> Iterator[Message]:
    """Yield a row (n, dim) of numbers at each time."""
    kind = types[topic]
    names = [field.name for field in kind.DESCRIPTOR.fields]
    flags = [field.type == field.TYPE_BOOL for field in kind.DESCRIPTOR.fields]
    for at, row in zip(t_ns.tolist(), values.reshape(len(t_ns), -1).tolist(), strict=True):
        made = {n: bool(v) if flag else v for n, v, flag in zip(names, row, flags, strict=True)}
        yield Message(at, topic, kind(**made))


def _texts(episode: StoredEpisode) -> list[Message]:
    return [log(0, INSTRUCTION, language, text) for language, text in episode.instruction.items()]


def _events(episode: StoredEpisode, times: Array) -> list[Message]:
    """Return when each phase began, when the task began or ceased to be done, and how it ended."""
    names: list[str] = [*episode.attributes["phases"], "none"]  # -1 is none
    phase, success = episode.array("steps/phase"), episode.array("steps/success")
    begins, turns = np.diff(phase, prepend=-2), np.diff(success.astype(int), prepend=0)
    out = [log(int(times[t]), EVENTS, "phase", names[phase[t]]) for t in np.flatnonzero(begins)]
    holds = {True: "holds", False: "is lost"}
    out += [log(int(times[t + 1]), EVENTS, "success", holds[bool(success[t])]) for t in np.flatnonzero(turns)]
    failures: list[str] = ["", *episode.attributes["failures"]]
    texts = (episode.outcome.name.lower(), failures[episode.fact("fail_code")], episode.fact("error"))
    level = 2 if episode.outcome is Outcome.SUCCESS else 3
    out.append(log(int(times[-1]), EVENTS, "end", ": ".join(filter(None, texts)), level=level))
    return sorted(out, key=lambda m: m.t_ns)


def _poses(episode: StoredEpisode, camera: str) -> Iterator[Message]:
    """Yield a camera's calibration once, and its pose whenever it is another one."""
    shots, facts = episode.shots(camera), episode.camera_facts(camera)
    yield calibration(f"/cameras/{camera}/calibration", camera, shots.k, (int(facts["height"]), int(facts["width"])))
    before: Array | None = None
    for t_ns, pose in zip(shots.t_ns.tolist(), shots.t_world_cam, strict=True):
        if before is None or not np.array_equal(pose, before):
            yield transform(t_ns, TRANSFORMS, camera, pose)
        before = pose


def _pictures(episode: StoredEpisode, picture: Picture) -> Iterator[Message]:
    """Yield every picture at its own time; with a segmentation also the names of what it shows."""
    shots = episode.shots(picture.camera)
    topic = f"/cameras/{picture.camera}/{picture.kind}"
    block = max(1, _BLOCK_BYTES // (2 * int(np.prod(picture.shape))))
    for start in range(0, len(shots.t_ns), block):
        images = episode.images(picture.camera, picture.kind, start, start + block)
        for t_ns, image in zip(shots.t_ns[start : start + block].tolist(), images, strict=True):
            if picture.kind == "rgb":
                yield compressed(t_ns, topic, picture.camera, encode_picture(image, "png"))
            elif picture.kind == "depth":
                yield raw(t_ns, topic, picture.camera, (image * (shots.far / LEVELS)).astype(np.float32))
            else:
                yield raw(t_ns, topic, picture.camera, image)
                yield labels(t_ns, f"/cameras/{picture.camera}/labels", _places(image, shots.segments))


def _places(image: Array, segments: tuple[tuple[str, str], ...]) -> list[tuple[str, float, float]]:
    """Return the name of every segment that is seen, and the middle x, y of its pixels."""
    flat = image.ravel()
    count = np.bincount(flat, minlength=len(segments))
    rows, columns = (np.bincount(flat, axis.ravel(), len(segments)) for axis in np.indices(image.shape))
    seen = np.flatnonzero(count >= _LABEL_PIXELS)
    return [(segments[i][0], float(columns[i] / count[i]), float(rows[i] / count[i])) for i in seen if segments[i][0]]


def _carried(content: Content) -> dict[str, str]:
    out = _numbers(content) | {f"/result.{name}": f"steps/{name}" for name in _RESULT}
    out[EVENTS] = "steps/phase"
    return out | {f"/cameras/{p.camera}/{p.kind}": f"media/{p.camera}/{p.kind}" for p in content.pictures}


def _metadata(content: Content, types: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return topic -> unit, frame, rate_hz, doc, and the column's own names."""
    out: dict[str, dict[str, str]] = {}
    for topic, path in _numbers(content).items():
        known = content.columns[path]
        fields = [field.name for field in types[topic].DESCRIPTOR.fields]
        facts = {k: known[k] for k in ("unit", "units", "frame", "rate_hz", "doc", "latency_s") if known.get(k)}
        facts |= {"column": path, "fields": fields, "names": known["names"] or fields}
        out[topic] = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in facts.items()}
    for picture in content.pictures:
        shots = content.data[0].shots(picture.camera)
        facts = {"rgb": {}, "depth": {"unit": "m", "far": f"{shots.far}"}}.get(picture.kind)
        facts = {"segments": json.dumps(shots.segments)} if facts is None else facts
        out[f"/cameras/{picture.camera}/{picture.kind}"] = facts
    return out


def _facts(content: Content, episode: StoredEpisode) -> dict[str, str]:
    return {
        "dataset_id": str(content.data.manifest.get("dataset_id", "")),
        "task": content.task,
        "episode_id": str(episode.id),
        "episode_seed": str(episode.seed),
        "outcome": episode.outcome.name.lower(),
        "parameters": json.dumps(episode.parameters, ensure_ascii=False),
    } | {f"instruction_{language}": text for language, text in episode.instruction.items()}
