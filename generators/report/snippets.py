"""How to load a dataset: a few lines each that run as they stand, beside the dataset's folder."""

from typing import NamedTuple

from generators.dataset import Dataset
from generators.report.words import Text
from generators.schema import SHARDS, TABLE


class Snippet(NamedTuple):
    """A few lines of Python and what they are for."""

    title: Text
    code: str


def snippets(dataset: Dataset) -> list[Snippet]:
    """Write the lines for a dataset."""
    name = dataset.folder.resolve().name
    out = [
        Snippet(
            Text("Whole episodes, with genba", "genba でエピソード単位に読む"),
            f"""from generators.dataset import Dataset

with Dataset({name!r}) as dataset:
    for episode in dataset.where(outcome="success"):
        actions, rewards = episode.actions, episode.rewards  # (T, nu), (T,)
        observations = episode.observations  # name -> (T + 1, dim)
        telemetry = episode.streams  # name -> value (n, dim), t_ns (n,)""",
        ),
        _table(dataset, name),
    ]
    shards = dataset.manifest["shards"]
    if shards:
        out.append(
            Snippet(
                Text("One file, with h5py alone", "h5py だけで 1 ファイルを読む"),
                f"""import h5py

with h5py.File({f"{name}/{SHARDS}/{shards[0]['name']}"!r}) as file:
    start, length = file["episodes/step_start"][0], file["episodes/length"][0]
    actions = file["steps/action"][start : start + length]  # of the first episode
    unit = dict(file["steps/action"].attrs)""",
            )
        )
    return out


def _table(dataset: Dataset, name: str) -> Snippet:
    title = Text("One row per episode: outcome and parameters", "エピソードごとの表（結果とパラメータ）")
    if (dataset.folder / TABLE).exists():
        code = f"import pyarrow.parquet as pq\n\ntable = pq.read_table({f'{name}/{TABLE}'!r})"
    else:
        code = (
            f"from generators.dataset import Dataset\n\nwith Dataset({name!r}) as dataset:\n    table = dataset.table()"
        )
    return Snippet(title, f'{code}\nprint(table.group_by(["outcome", "failure"]).aggregate([([], "count_all")]))')
