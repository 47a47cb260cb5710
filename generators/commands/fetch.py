"""`genba fetch`: bring a dataset from a store."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._bars import bars
from generators.commands._options import parse
from generators.config import ConfigError
from generators.fetching import fetch
from generators.stores.protocols import is_url


@dataclasses.dataclass(frozen=True)
class Options:
    """Bring a dataset from a store into a folder, and check the hash of every file.

    What an interrupted fetch has brought is brought no second time. Credentials come from the environment, as the
    store's own tools have them: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS ...

    Example:
      genba fetch s3://plant/crane datasets/crane
    """

    url: Annotated[str, tyro.conf.Positional]
    """Where the dataset lies."""
    folder: Annotated[Path, tyro.conf.Positional]
    """Where it is put: a new or empty folder, or one of an interrupted fetch."""
    json: bool = False
    """Print the result as JSON on stdout."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba fetch")
    if not is_url(options.url):
        raise ConfigError(f"fetch needs a URL such as s3://bucket/name, got {options.url!r:.200}")
    with bars() as show:
        manifest = fetch(options.url, options.folder, lambda done, all_: show(options.url, done / max(1, all_)))
    facts = {"folder": str(options.folder), "dataset_id": manifest["dataset_id"], "episodes": manifest["episodes"]}
    if options.json:
        print(json.dumps(facts))
    else:
        print(f"{options.folder}: {manifest['episodes']} episodes; next: genba info {options.folder}")
    return 0
