"""`genba card`: say what a dataset is, for people and for machines."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._options import parse
from generators.dataset import read_manifest
from generators.governance.about import read_about
from generators.governance.sums import SIGNED
from generators.governance.write import describe_anew, unstated


@dataclasses.dataclass(frozen=True)
class Options:
    """Write a dataset's cards README.md and README.ja.md, croissant.json (Croissant 1.1), provenance.jsonld (PROV-O).

    All are made of dataset.json alone: the same bytes every time. --about and --set say what genba cannot know, and are
    kept there: name, version, url, license (SPDX), asset_licenses, creator, contact, intended_use, out_of_scope_use,
    sim_to_real_gaps, personal_data, data_residency, export_control, custody, evaluator, citation, published, changes.
    A text is given once, or as {en: ..., ja: ...}; most may be lists. What nobody says is "not stated". A card that was
    edited is replaced: what it shall say goes into --about.

    Examples:
      genba card datasets/crane
      genba card datasets/crane --about about.yaml
      genba card datasets/crane --set license=CC-BY-4.0 --set creator=ACME --set intended_use.ja=吊り荷の制御の学習
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    about: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """YAML; each of its keys replaces what dataset.json says."""
    set: Annotated[
        tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="KEY=TEXT", help_behavior_hint="")
    ] = ()
    """One key, or key.en and key.ja; given again, a list."""
    json: bool = False
    """Print the files that changed and the keys that are not stated, as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba card")
    about = read_about(options.about) if options.about else {}
    changed = describe_anew(options.dataset, about, options.set)
    missing = unstated(read_manifest(options.dataset))
    if options.json:
        print(json.dumps({"files": [str(path) for path in changed], "unstated": missing}, indent=1))
        return 0
    for path in changed:
        print(path)
    if not changed:
        print(f"{options.dataset}: nothing has changed")
    if changed and (options.dataset / SIGNED).exists():
        print(f"note: {SIGNED} does not hold any more: genba sign {options.dataset}")
    if missing:
        print(f"note: not stated: {', '.join(missing)}; say it with --set or --about")
    return 0
