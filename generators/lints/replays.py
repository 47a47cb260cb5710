"""Exact replay: episodes done again, judged again, and some of their pictures drawn again."""

import functools
from collections.abc import Sequence

from generators.executors import choose, results
from generators.lints.runs import Run
from generators.replaying import LoadTask, Replayed, choose_groups, replay_group


def check_replays(run: Run, count: int, load_task: LoadTask, workers: int, good: Sequence[str]) -> None:
    """Replay some or all episodes of the good shards, and report those that differ.

    Args:
        run: the validation.
        count: how many, a sample that is the same every time; -1 for all.
        load_task: finds a task by the name that dataset.json gives it.
        workers: processes.
        good: the shards in which nothing wrong was found.
    """
    groups = choose_groups(run.folder, count, set(good))
    names = {t.get("task", t["name"]): t["name"] for t in run.manifest.get("tasks", ())}
    work = functools.partial(replay_group, run.folder, load_task, names)
    executor = choose("processes" if workers > 1 and len(groups) > 1 else "inline", workers)
    found: dict[int, Replayed] = {}
    for done in results(executor(work, groups)):
        found[done.first] = done
        run.progress("replay", len(found), len(groups))
    run.replayed += sum(len(group) for group in groups)
    for first in sorted(found):
        run.verified += found[first].verified
        run.redrawn += found[first].redrawn
        run.notes |= found[first].notes
        for finding in found[first].findings:
            run.add(*finding)
