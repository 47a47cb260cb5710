"""`genba verify`: is a dataset as it was signed."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._options import parse
from generators.config import available_cpus
from generators.governance.sums import verify


@dataclasses.dataclass(frozen=True)
class Options:
    """Check that a dataset is what the owner of a key has signed: every file, and no other.

    Needs genba[sign]. The same without genba, offline, in the dataset's folder:

      openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in SIGNED.SHA256SUMS -sigfile SIGNED.SHA256SUMS.sig
      sha256sum --check --quiet SIGNED.SHA256SUMS

    Exit code 0: nothing has changed; 1: findings, one a line, each with its file; 2: it is not signed.

    Example:
      genba verify datasets/crane --key pub.pem
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    key: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """The signer's public Ed25519 key, PEM."""
    workers: int = dataclasses.field(default_factory=available_cpus)
    """Threads that hash [one per processor]."""
    json: bool = False
    """Print the findings as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba verify")
    findings = verify(options.dataset, options.key, workers=options.workers)
    if options.json:
        print(json.dumps({"ok": not findings, "findings": findings}, indent=1))
    else:
        for finding in findings:
            print(finding)
        print(f"{options.dataset}: {f'{len(findings)} findings' if findings else 'as it was signed'}")
    return 1 if findings else 0
