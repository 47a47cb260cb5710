"""The parts of a card about the past: from what a dataset was made, by what, and what was changed since."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generators.governance.tables import items, table
from generators.governance.words import Pair, listed, pick, said

_ACTIVITIES: dict[str, Pair] = {
    "generate": Pair("generated", "生成"),
    "import": Pair("imported", "取り込み"),
    "filter": Pair("chosen by a query", "条件による抽出"),
    "split": Pair("split", "分割"),
    "merge": Pair("merged", "統合"),
}


def provenance_lines(manifest: Mapping[str, Any], language: str) -> list[str]:
    """Return what a card says of where a dataset comes from."""
    lines = [pick(_how(manifest), language), ""]
    header = [pick(pair, language) for pair in _HEADER]
    rows = [
        (
            f"`{origin['dataset_id']}`",
            task.get("task", task["name"]),
            task["version"],
            f"`{task['source_sha256'][:16]}`" if task.get("source_sha256") else "",
            "" if origin.get("seed") is None else origin["seed"],
            _versions(origin.get("generator", {})),
        )
        for origin in origins(manifest)
        for task in origin["tasks"]
    ]
    lines += table(header, rows)
    facts = manifest.get("environment") or {}
    if facts:
        made = ", ".join(f"{name} {version}" for name, version in facts.items())
        lines += items([pick(Pair(f"Written with {made}.", f"書き出しに使用した環境: {made}。"), language)])
    return lines


def change_lines(manifest: Mapping[str, Any], language: str) -> list[str]:
    """Return what a card says of what was done since the data was made, the first first."""
    told = [_told(step, language) for step in steps(manifest)]
    for camera, entry in sorted(manifest.get("media", {}).items()):
        frames = entry["frames"]
        pictures = Pair(f"pictures of camera {camera}: {frames}", f"カメラ{camera}の画像: {frames}枚")
        told.append(pick(pictures, language))
    told += [said(text, language) for text in (manifest.get("governance") or {}).get("changes", ())]
    return items(told)


def dataset_iri(dataset_id: str) -> str:
    """Return the name of a dataset as linked data has it."""
    return f"urn:genba:dataset:{dataset_id}"


def origins(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the datasets that this one was derived from in the end: generated or imported; else itself."""
    return manifest.get("sources") or [manifest]


def steps(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Go through what was done, the first first: {"activity", "dataset_id", "episodes", "of", ...facts}."""
    for origin in origins(manifest):
        activity = "import" if "imported" in origin else "generate"
        episodes = origin.get("attempts", origin.get("episodes"))
        yield {
            "activity": activity,
            "dataset_id": origin["dataset_id"],
            "episodes": episodes,
            "created": origin.get("created", ""),
        }
    told: list[Mapping[str, Any]] = []
    for step in _derivations(manifest):
        if step not in told:  # two parts of a merge may come from one dataset
            told.append(step)
            yield step


def _derivations(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "derived" in node:
        for parent in node["derived"].get("of", ()):
            yield from _derivations(parent)
        yield {"dataset_id": node["dataset_id"], "episodes": node["episodes"]} | dict(node["derived"])


def _told(step: Mapping[str, Any], language: str) -> str:
    what = pick(_ACTIVITIES.get(step["activity"], Pair(step["activity"], step["activity"])), language)
    day = f"{step['created'][:10]}: " if step.get("created") else ""
    facts = {k: v for k, v in step.items() if k not in ("activity", "dataset_id", "episodes", "of", "created") and v}
    more = "".join(f"; {name}: `{_plain(value)}`" for name, value in facts.items())
    if parents := step.get("of"):
        names = listed((f"`{p['dataset_id']}`" for p in parents), language)
        what = pick(Pair(f"{what} from {names}", f"{names}からの{what}"), language)
    count = pick(Pair(f"{step['episodes']} episodes", f"{step['episodes']}エピソード"), language)
    comma = pick(Pair(", ", "、"), language)
    return f"{day}`{step['dataset_id']}`: {what}{comma}{count}{more}"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={_plain(v)}" for k, v in value.items() if v not in ({}, [], ""))
    if isinstance(value, list):
        return " ".join(map(_plain, value))
    return str(value).replace("`", "'")


_HEADER = (
    Pair("dataset", "データセットID"),
    Pair("task", "タスク"),
    Pair("version", "バージョン"),
    Pair("hash of the task's source", "タスクのソースのハッシュ"),
    Pair("root seed", "ルートシード"),
    Pair("software", "ソフトウェア"),
)


def _versions(generator: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in generator.items())


def _how(manifest: Mapping[str, Any]) -> Pair:
    if "imported" in manifest:
        return Pair(
            f"Imported from {manifest['imported']['format']}; who made it, and how, is not known to genba.",
            f"{manifest['imported']['format']}形式から取り込みました。元のデータの作成方法をgenbaは把握していません。",
        )
    return Pair(
        "Scripted experts act in the simulation; a share of episodes has an expert that was made worse on purpose. The "
        "task's source, its parameters, the root seed and the versions of genba and MuJoCo determine every byte of the "
        "shards; `genba validate --replay all` proves it. `provenance.jsonld` says the same in PROV-O. `plan.json` and "
        "`logs/`, where they are there, name folders and hosts of whoever generated the data: leave them out of what "
        "you publish.",
        "スクリプトで記述したエキスパートがシミュレーション内で作業します。一部ではその性能を意図的に下げています。"
        "シャードの全バイトは、タスクのソース、パラメータ、ルートシード、genbaとMuJoCoのバージョンで決まり、"
        "`genba validate --replay all`で確かめられます。同じ内容を`provenance.jsonld`にPROV-O形式で記録しています。"
        "`plan.json`と`logs/`がある場合は、生成した環境のフォルダ名やホスト名を含むため、公開時には除いてください。",
    )
