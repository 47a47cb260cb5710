"""The part of a card about one task: what its author declared, and what this dataset changed of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from generators.description import bounds_text, doc_parts, number_text
from generators.governance.history import origins
from generators.governance.tables import folded, inert, items, table
from generators.governance.words import distribution_text, listed, said, word


def task_lines(manifest: Mapping[str, Any], task: Mapping[str, Any], language: str) -> list[str]:
    """Return what a card says of a task.

    Args:
        manifest: dataset.json.
        task: the task's entry in it.
        language: "en" or "ja".
    """
    known = task.get("declared") or {}
    parts = doc_parts(known.get("doc", ""))
    lines = [f"### {inert(task.get('task', task['name']))} ({word('version', language)} {task['version']})", ""]
    if parts and language != "en":
        lines += [word("original", language), ""]
    lines += [inert(text) + "\n" for label, text in parts[:1] if not label]
    lines += items(f"**{inert(label)}**: {inert(text)}" if label else inert(text) for label, text in parts[1:])
    lines += _figures(task, language)
    if order := said(known.get("instruction"), language):
        lines += [f"{word('order', language)}:", "", f"> {inert(order)}", ""]
    if known:
        lines += _parameters(known["parameters"], _changes(manifest, task), language)
        lines += _actions(known["actions"], language)
        lines += _features("observations", known["observations"], language)
        lines += _channels(known["channels"], language)
        lines += _features("signals", known["signals"], language)
    return lines


def _figures(task: Mapping[str, Any], language: str) -> list[str]:
    figures = {
        "episodes": str(task["episodes"]),
        "control": f"{task['control_hz']:g} Hz",
        "horizon": f"{task['horizon_s']:g} s",
        "phases": listed(task["phases"], language),
        "failures": listed(task["failures"], language),
    }
    if "declared" in task:  # else it was imported, and nothing is known of who acted
        share = task.get("degraded")
        figures["degradations"] = listed(task["degradations"], language)
        figures["degraded"] = word("differs", language) if share is None else f"{share:.0%}"
    return items(f"{word(key, language)}: {inert(figure)}" for key, figure in figures.items())


def _changes(manifest: Mapping[str, Any], task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the distributions that replaced the task's own, one mapping for each dataset that was generated."""
    sources = [t for origin in origins(manifest) for t in origin["tasks"] if t.get("task") == task.get("task")]
    return [t.get("parameters") or {} for t in sources]


def _parameters(parameters: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], language: str) -> list[str]:
    rows = [(f"`{n}`", p["unit"], _drawn(n, p, changes, language), p["doc"]) for n, p in parameters.items()]
    header = [word(key, language) for key in ("name", "unit", "drawn", "meaning")]
    return folded(f"{word('parameters', language)} ({len(rows)})", table(header, rows))


def _drawn(name: str, parameter: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], language: str) -> str:
    found = [change.get(name) for change in changes]
    if all(change == found[0] for change in found):
        text = distribution_text(parameter["distribution"], language)
        return f"{text} ({word('changed', language)})" if any(found) else text
    texts = [distribution_text(c, language) if c else word("own", language) for c in found]
    return f"{word('differs', language)}: {'; '.join(dict.fromkeys(texts))}"


def _actions(actions: Mapping[str, Any], language: str) -> list[str]:
    rows = [
        (f"`{name}`", a["unit"], f"{number_text(a['low'])} .. {number_text(a['high'])}", a["doc"])
        for name, a in actions.items()
    ]
    header = [word(key, language) for key in ("name", "unit", "range", "meaning")]
    return folded(f"{word('actions', language)} ({len(rows)})", table(header, rows))


def _features(key: str, features: Mapping[str, Any], language: str) -> list[str]:
    rows = [
        (f"`{name}`", f["dim"], f["unit"], f["frame"], bounds_text(f).replace(" to ", " .. "), f["doc"])
        for name, f in features.items()
    ]
    header = [word(k, language) for k in ("name", "numbers", "unit", "frame", "range", "meaning")]
    return folded(f"{word(key, language)} ({len(rows)})", table(header, rows))


def _channels(channels: Mapping[str, Any], language: str) -> list[str]:
    rows = [
        (f"`{name}`", c["dim"], c["unit"], f"{c['rate_hz']:g} Hz", f"{1e3 * c['latency_s']:g} ms", c["doc"])
        for name, c in channels.items()
    ]
    header = [word(k, language) for k in ("name", "numbers", "unit", "rate", "late", "meaning")]
    return folded(f"{word('channels', language)} ({len(rows)})", table(header, rows))
