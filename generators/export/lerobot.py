"""A dataset in LeRobot's layout, version 3.0: its `LeRobotDataset` reads it, LeRobot is not needed to write it.

Frame t holds what was seen before action t, the action, and what came of it as next.reward, next.done ...; the last
observation of an episode has no frame. observation.state is all observations side by side. Actions are in the
actuators' units, to the bit: LeRobot scales by its statistics. A task is the work order in English. A stream becomes
observation.<stream>, which LeRobot's policies may take: choose those that a policy shall see.
"""

from pathlib import Path
from typing import Any

from generators.dataset import Dataset
from generators.export.content import Asked, Content, Done, Exported, choose, exported
from generators.export.lerobot_features import ACTION, IMAGES, STATE, STEPS, features_of, fps_of, number_names
from generators.export.lerobot_writer import Writer
from generators.files import whole_folder

PEER = "lerobot v3.0"
_PACKED = "PNG whose red is the low byte of 16 bits, green the high one, blue 0"


def export(
    dataset: Path, out: Path, asked: Asked | None = None, *, video: bool = False, done: Done | None = None
) -> Exported:
    """Write a dataset as <out>/{meta,data,videos}.

    Args:
        dataset: its folder.
        out: the folder to make; the `root` of `LeRobotDataset`.
        asked: what goes.
        video: whether colours go as mp4, H.264, which changes them a little; else as PNG, exactly.
        done: called with the share that is done.

    Raises:
        ExportError: it cannot be told in this layout.
        DatasetError: the dataset is damaged, or out is taken.
        EncodingError: a picture's size does not fit a video.
        MissingExtraError: video is asked for, and the package av is not installed.
    """
    with Dataset(dataset) as data:
        content = choose(data, asked or Asked())
        features = features_of(content, video=video)
        with whole_folder(out) as folder:
            Writer(folder, content, features).write(done or (lambda _: None))
            content.write_sidecar(folder, PEER, _carried(content), _facts(content, video=video))
        return exported(PEER, out, content, _notes(content, out))


def _carried(content: Content) -> dict[str, str]:
    out, at = {ACTION: "steps/action"}, 0
    for name in content.observations:
        end = at + len(number_names(content, f"obs/{name}", name))
        out[f"{STATE}[{at}:{end}]"] = f"obs/{name}"
        at = end
    out |= {name: f"steps/{column}" for name, (column, _) in STEPS.items()}
    out |= {f"observation.{name}": f"streams/{name}/value" for name in content.streams}
    return out | {IMAGES + p.name: f"media/{p.camera}/{p.kind}" for p in content.pictures}


def _facts(content: Content, *, video: bool) -> dict[str, Any]:
    how = {"rgb": "H.264 (crf 18, 4:2:0): not exact" if video else "PNG: exact"}
    how |= dict.fromkeys(("depth", "segmentation"), f"{_PACKED}: exact; generators.export.lerobot_pictures.unpack")
    known = {f"{p.camera}:{p.kind}": how[p.kind] for p in content.pictures}
    return {
        "frames": "frame t is before action t; the observation after the last action has no frame",
        "actions": "in the actuators' units",
        "phases": content.data[0].attributes["phases"],
        "pictures": known,
    }


def _notes(content: Content, out: Path) -> list[str]:
    notes = [f"LeRobotDataset('genba/{out.name}', root='{out}')"]
    if not isinstance(rate := fps_of(content), int):
        notes.append(f"fps is {rate:g}: LeRobotDataset takes it, another tool may want a whole number")
    if any(p.kind != "rgb" for p in content.pictures):
        notes.append(f"depth and segmentation are {_PACKED}")
    return notes
