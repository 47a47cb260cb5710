"""Dataset cards, README.md and README.ja.md, from dataset.json alone, as Hugging Face reads them.

What is said in the code is said in both languages; what a task's author wrote is given in the author's words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from generators.governance import words
from generators.governance.card_tasks import task_lines
from generators.governance.history import change_lines, provenance_lines
from generators.governance.quality import quality_lines
from generators.governance.tables import inert, items, table
from generators.governance.words import Pair, listed, pick, said, word

CARDS = {"en": "README.md", "ja": "README.ja.md"}
_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))
_LOADING = """```python
# with genba
from generators.dataset import Dataset

with Dataset("path/to/dataset") as data:
    episode = data[0]
    print(len(data), episode.task, episode.outcome.name, episode.parameters)
    actions, observations = episode.actions, episode.observations  # (T, nu); name -> (T + 1, dim)
```

```python
# without genba: h5py and pyarrow
import h5py
import pyarrow.parquet as pq

row = pq.read_table("path/to/dataset/episodes.parquet").to_pylist()[0]
with h5py.File("path/to/dataset/shards/" + row["shard"]) as shard:
    steps = slice(row["step_start"], row["step_start"] + row["length"])
    actions, rewards = shard["steps/action"][steps], shard["steps/reward"][steps]
```
"""


def card(manifest: Mapping[str, Any], language: str, made: str) -> str:
    """Return a dataset's card.

    Args:
        manifest: its dataset.json.
        language: "en" or "ja".
        made: by what this is made, and from what.
    """
    lines = [
        *_front_matter(manifest),
        f"<!-- {made}; to change it: genba card --help -->",
        "",
        f"# {inert(title(manifest, language))}",
        "",
        word("other", language),
        "",
    ]
    lines += [inert(summary(manifest, language)), ""]
    parts = (
        ("facts", _facts(manifest, language)),
        ("outcomes", _outcomes(manifest, language)),
        ("tasks", [line for task in manifest["tasks"] for line in task_lines(manifest, task, language)]),
        ("cameras", _cameras(manifest.get("media", {}), language)),
        ("loading", [_LOADING]),
        ("format", _format(manifest, language)),
        ("use", _use(governance(manifest), language)),
        ("quality", quality_lines(manifest, language)),
        ("provenance", provenance_lines(manifest, language)),
        ("changes", change_lines(manifest, language)),
        ("governance", [pick(words.ALIGNED, language), ""]),
    )
    for key, part in parts:
        lines += [f"## {word(key, language)}", "", *part] if part else []
    return "\n".join(lines).rstrip() + "\n"


def governance(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what people have said of a dataset."""
    return manifest.get("governance") or {}


def title(manifest: Mapping[str, Any], language: str) -> str:
    """Return what a dataset is called: as people say, else by its tasks."""
    names = [str(task.get("task", task["name"])) for task in manifest["tasks"]]
    return said(governance(manifest).get("name"), language) or f"{', '.join(names)} ({manifest['dataset_id']})"


def summary(manifest: Mapping[str, Any], language: str) -> str:
    """Say in two sentences what a dataset is."""
    tasks = listed((str(t.get("task", t["name"])) for t in manifest["tasks"]), language)
    episodes, steps = manifest["episodes"], manifest["steps"]
    if origin := manifest.get("imported"):
        return pick(
            Pair(
                f"{episodes} episodes, {steps} control steps, imported from a file of {origin['format']}'s: {tasks}. "
                "No task stands behind them, so that they cannot be replayed.",
                f"{origin['format']}形式のファイルから取り込んだ{episodes}エピソード({steps}制御ステップ): {tasks}。"
                "元になるタスクがないため、再現はできません。",
            ),
            language,
        )
    made = manifest["generator"]
    return pick(
        Pair(
            f"{episodes} episodes, {steps} control steps, of {tasks}: simulated with MuJoCo {made['mujoco']}, recorded "
            f"by genba {made['genba']}. All of it is synthetic; with these versions every episode replays bit for bit.",
            f"{tasks}の{episodes}エピソード({steps}制御ステップ)。MuJoCo {made['mujoco']}でシミュレーションし、"
            f"genba {made['genba']}で記録しました。"
            "すべて合成データであり、同じバージョンを使えば、各エピソードをビット単位で再現できます。",
        ),
        language,
    )


def _front_matter(manifest: Mapping[str, Any]) -> list[str]:
    about = governance(manifest)
    names = [str(t.get("task", t["name"])) for t in manifest["tasks"]]
    episodes = int(manifest["episodes"])
    data: dict[str, Any] = {
        "language": list(manifest.get("languages", ())) or None,
        **_license(about.get("license")),
        "pretty_name": title(manifest, "en"),
        "task_categories": ["robotics"],
        "tags": ["genba", "mujoco", "simulation", "industrial", *dict.fromkeys(n.rpartition("/")[2] for n in names)],
        "size_categories": [next((name for limit, name in _SIZES if episodes < limit), "n>10M")],
        "configs": [{"config_name": "episodes", "data_files": "episodes.parquet"}],
    }
    if manifest.get("imported"):
        data["tags"] = [t for t in data["tags"] if t not in ("mujoco", "simulation", "industrial")]
    text = yaml.safe_dump({k: v for k, v in data.items() if v}, sort_keys=False, allow_unicode=True, width=1000)
    return ["---", *text.splitlines(), "---", ""]


def _license(spdx: str | None) -> dict[str, str]:
    """Return the licence as Hugging Face writes it, which knows single licences in small letters."""
    if not spdx:
        return {"license": "unknown"}
    single = " " not in spdx and not spdx.startswith("LicenseRef-")
    return {"license": spdx.lower()} if single else {"license": "other", "license_name": spdx}


def _facts(manifest: Mapping[str, Any], language: str) -> list[str]:
    about = governance(manifest)
    unstated = word("unstated", language)
    creators = [c["name"] + (f" ({c['url']})" if c.get("url") else "") for c in about.get("creator", ())]
    assets = [f"{name}: {spdx}" for name, spdx in about.get("asset_licenses", {}).items()]
    shown = {
        "version": about.get("version") or unstated,
        "license": listed([about.get("license") or unstated, *assets], language),
        "creator": listed(creators, language) if creators else unstated,
        "contact": about.get("contact") or unstated,
        "url": about.get("url") or unstated,
        "published": about.get("published") or unstated,
        "citation": about.get("citation") or unstated,
        "dataset_id": f"`{manifest['dataset_id']}`",
        "format_version": f"genba {manifest['format_version']}",
        "episodes": manifest["episodes"],
        "steps": manifest["steps"],
        "size": f"{_bytes(manifest) / 1e6:.1f} MB",
        "languages": listed(manifest.get("languages", ()), language),
        "created": manifest.get("created", unstated),
    }
    if manifest.get("seed") is not None:
        shown["seed"] = manifest["seed"]
    return table(("", ""), [(word(key, language), inert(value)) for key, value in shown.items()])


def _bytes(manifest: Mapping[str, Any]) -> int:
    return sum(int(s["bytes"]) for s in _files(manifest))


def _files(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    pictures = [s for entry in manifest.get("media", {}).values() for s in entry["shards"]]
    return [*manifest["shards"], *pictures]


def _outcomes(manifest: Mapping[str, Any], language: str) -> list[str]:
    found = [name for name in words.OUTCOMES if name in manifest["outcomes"]]
    rows = [(str(t.get("task", t["name"])), t["outcomes"]) for t in manifest["tasks"] if "outcomes" in t]
    rows = [*(rows if len(rows) > 1 else []), (word("total", language), manifest["outcomes"])]
    header = [word("task", language), *(pick(words.OUTCOMES[name], language) for name in found)]
    return table(header, [(name, *(_count(counts, key) for key in found)) for name, counts in rows])


def _count(counts: Mapping[str, int], key: str) -> str:
    count, total = counts.get(key, 0), sum(counts.values())
    return f"{count} ({count / total:.1%})" if total else str(count)


def _cameras(media: Mapping[str, Any], language: str) -> list[str]:
    rows: list[tuple[object, ...]] = []
    for camera, entry in sorted(media.items()):
        drawn = listed((f"{d['backend']} ({d['device']})" for d in entry["drawn_by"]), language)
        for task, s in entry["settings"].items():
            kinds = listed((f"rgb ({s['encoding']})" if k == "rgb" else k for k in s["kinds"]), language)
            pixels, rate = f"{s['width']} x {s['height']}", f"{s['rate_hz']:g} Hz"
            frames = sum(shard["frames"] for shard in entry["shards"] if shard.get("task", task) == task)
            rows.append((camera, task, pixels, rate, kinds, frames, drawn))
    keys = ("camera", "task", "pixels", "rate", "kinds", "frames", "drawn_by")
    return table([word(k, language) for k in keys], rows)


def _format(manifest: Mapping[str, Any], language: str) -> list[str]:
    there = [f for f in words.FILES if manifest.get("media") or not f[0].startswith("media/")]
    rows = [(f"`{name}`", pick(what, language)) for name, what in there]
    header = (word("file", language), word("holds", language))
    rules = words.RULES[:1] if "imported" in manifest else words.RULES  # of foreign data no more is known
    return [*table(header, rows), *items(pick(rule, language) for rule in rules)]


def _use(about: Mapping[str, Any], language: str) -> list[str]:
    lines: list[str] = []
    for key, heading in words.USE:
        value = about.get(key)
        texts = [inert(said(t, language)) for t in (value if isinstance(value, list) else [value])]
        given = [t for t in texts if t] or [word("unstated", language)]
        lines += [f"**{pick(heading, language)}**", "", *items(given)]
    return lines
