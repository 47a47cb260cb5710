"""Writes the episodes of a LeRobot v3.0 dataset one after the other: data, videos, and the row of each episode."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from generators.export import lerobot_files as files
from generators.export.content import Content, Done, ExportError
from generators.export.lerobot_features import (
    ACTION,
    COUNTED,
    DONE,
    STATE,
    STEPS,
    Feature,
    data_schema,
    episode_schema,
    fps_of,
    tasks_table,
)
from generators.export.lerobot_files import CHUNK, Places, TableFiles, VideoFiles
from generators.export.lerobot_pictures import colours, picture_at
from generators.export.lerobot_stats import NumberStats, PictureStats
from generators.media.codecs import encode_picture
from generators.stored import StoredEpisode
from sim.episode import Outcome

Array = NDArray[Any]
Row = dict[str, Any]

VERSION = "v3.0"
_COLUMN_BYTES = 2**31 - 1  # of one episode in a column of Arrow's


class Writer:
    """Writes an export.

    Args:
        folder: the export's.
        content: what goes.
        features: its columns.
    """

    def __init__(self, folder: Path, content: Content, features: Mapping[str, Feature]) -> None:
        self._folder, self._content, self._features = folder, content, features
        self._fps = fps_of(content)
        self._tasks: dict[str, int] = {}
        self._frames = 0
        self._numbers = {name: NumberStats() for name, f in features.items() if f.picture is None}
        self._pictures = {name: PictureStats() for name, f in features.items() if f.picture is not None}
        self._schema, self._row_schema = data_schema(features), episode_schema(features)
        self._data = TableFiles(Places(folder, f"data/{CHUNK}.parquet"), self._schema, files.DATA_MB * files.MB)
        rows = Places(folder, f"meta/episodes/{CHUNK}.parquet")
        self._rows = TableFiles(rows, self._row_schema, files.DATA_MB * files.MB)
        self._videos = {n: self._video(n, f.shape) for n, f in features.items() if f.dtype == "video"}

    def write(self, done: Done) -> None:
        """Write everything but the sidecar.

        Args:
            done: called with the share that is done.
        """
        for number, episode in self._content.walk(done):
            self._write(number, episode)
        for file in (self._data, self._rows, *self._videos.values()):
            file.close()
        meta = self._folder / "meta"
        pq.write_table(tasks_table(list(self._tasks)), meta / "tasks.parquet")
        stats = {name: (self._numbers.get(name) or self._pictures[name]).whole() for name in self._features}
        for name, value in (("info.json", self._info()), ("stats.json", stats)):
            (meta / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _write(self, number: int, episode: StoredEpisode) -> None:
        length, text = len(episode), episode.instruction.get("en") or episode.task
        task = self._tasks.setdefault(text, len(self._tasks))
        row: Row = {"episode_index": number, "tasks": [text], "length": length} | _facts(episode)
        row |= {"dataset_from_index": self._frames, "dataset_to_index": self._frames + length}
        columns: dict[str, pa.Array] = {}
        for name, values in self._values(number, task, episode).items():
            columns[name] = _column(values, self._features[name])
            row |= _stats(name, self._numbers[name].add(values))
        for name in self._pictures:
            column, facts = self._show(name, episode)
            columns |= {name: column} if column is not None else {}
            row |= facts
        table = pa.table([columns[name] for name in self._schema.names], schema=self._schema)
        self._data.make_room(table.nbytes)
        self._data.add(table)
        row |= self._data.places.record("data")
        self._rows.make_room(32 * len(row))
        row |= self._rows.places.record("meta/episodes")
        self._rows.add(pa.Table.from_pylist([row], schema=self._row_schema))
        self._frames += length

    def _values(self, number: int, task: int, episode: StoredEpisode) -> dict[str, Array]:
        """Return the values (T, dim) of every feature but the pictures."""
        steps = np.arange(len(episode))
        out: dict[str, Array] = {f"observation.{n}": v[:-1] for n, v in self._content.resampled(episode).items()}
        if STATE in self._features:
            seen = [episode.array(f"obs/{name}")[:-1] for name in self._content.observations]
            out[STATE] = np.concatenate([v.reshape(len(steps), -1) for v in seen], axis=1)
        out[ACTION] = episode.actions
        out |= {name: episode.array(f"steps/{column}") for name, (column, _) in STEPS.items()}
        out[DONE] = out["next.terminated"] | out["next.truncated"]
        same = np.zeros_like(steps)
        counted = (steps / self._fps, steps, same + number, steps + self._frames, same + task)
        out |= dict(zip(COUNTED, counted, strict=True))
        return {name: v.reshape(len(steps), -1).astype(self._features[name].dtype) for name, v in out.items()}

    def _show(self, name: str, episode: StoredEpisode) -> tuple[pa.Array | None, Row]:
        """Write an episode's pictures; return their column, None for a video, and what the episode's row says."""
        feature, stats, video = self._features[name], self._pictures[name], self._videos.get(name)
        assert feature.picture is not None
        at = picture_at(episode, feature.picture)
        repeats = np.bincount(at).tolist()
        begin = video.make_room(len(episode)) if video else 0.0
        encoded: list[bytes] = []
        for picture, count in zip(colours(episode, feature.picture, len(repeats)), repeats, strict=True):
            stats.see(picture, count)
            if video is None:
                encoded.append(encode_picture(picture, "png"))
                continue
            for _ in range(count):
                video.add(picture)
        facts = _stats(name, stats.end_episode())
        if video is None:
            if (size := sum(len(encoded[i]) for i in at.tolist())) > _COLUMN_BYTES:
                what = f"episode {episode.id} has {size / 1e9:.1f} GB of {name!r}, and 2.1 GB are the most"
                raise ExportError(f"{what}: leave it out by --cameras, or let colours go as --video")
            shown = [{"bytes": encoded[i], "path": f"frame-{t:06d}.png"} for t, i in enumerate(at.tolist())]
            return pa.array(shown, feature.arrow), facts
        end = begin + len(episode) / self._fps
        times = {f"videos/{name}/from_timestamp": begin, f"videos/{name}/to_timestamp": end}
        return None, facts | times | video.places.record(f"videos/{name}")

    def _video(self, name: str, shape: tuple[int, ...]) -> VideoFiles:
        places = Places(self._folder, f"videos/{name}/{CHUNK}.mp4")
        return VideoFiles(places, shape, self._fps, files.VIDEO_MB * files.MB)

    def _info(self) -> dict[str, Any]:
        episodes = len(self._content.data)
        return {
            "codebase_version": VERSION,
            "robot_type": self._content.task,
            "total_episodes": episodes,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": files.FILES_PER_CHUNK,
            "data_files_size_in_mb": files.DATA_MB,
            "video_files_size_in_mb": files.VIDEO_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{episodes}"},
            "data_path": f"data/{CHUNK}.parquet",
            "video_path": "videos/{video_key}/" + CHUNK + ".mp4" if self._videos else None,
            "features": {name: feature.record(self._fps) for name, feature in self._features.items()},
        }


def _column(values: Array, feature: Feature) -> pa.Array:
    flat = pa.array(values.reshape(-1))
    return flat if feature.shape == (1,) else pa.FixedSizeListArray.from_arrays(flat, feature.shape[0])


def _stats(name: str, found: Mapping[str, Any]) -> Row:
    return {f"stats/{name}/{what}": value for what, value in found.items()}


def _facts(episode: StoredEpisode) -> Row:
    """Return what an episode's row says beyond LeRobot's own."""
    failures = ["", *episode.attributes["failures"]]
    facts = {
        "episode_id": episode.id,
        "seed": episode.seed,
        "success": episode.outcome is Outcome.SUCCESS,
        "outcome": episode.outcome.name.lower(),
        "failure": failures[episode.fact("fail_code")],
        "return": episode.fact("return"),
        "instruction_ja": episode.instruction.get("ja", ""),
    }
    return {f"sim/{name}": value for name, value in facts.items()}
