"""`genba sign`: sign a dataset."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from generators.commands._options import parse
from generators.config import available_cpus
from generators.governance.sums import SIGNATURE, SIGNED, sign


@dataclasses.dataclass(frozen=True)
class Options:
    """Sign a dataset: SIGNED.SHA256SUMS lists the hash of every file, SIGNED.SHA256SUMS.sig signs that list (Ed25519).

    Sign last: a file that is changed, added or removed afterwards is named by `genba verify`. logs/ is not signed.
    Needs genba[sign]. A key of your own:

      openssl genpkey -algorithm ed25519 -out key.pem
      openssl pkey -in key.pem -pubout -out pub.pem

    Anybody can check it without genba, offline, in the dataset's folder:

      openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in SIGNED.SHA256SUMS -sigfile SIGNED.SHA256SUMS.sig
      sha256sum --check --quiet SIGNED.SHA256SUMS

    Example:
      genba sign datasets/crane --key key.pem
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    key: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """Your private Ed25519 key, PEM."""
    password_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Holds the key's password in its first line, where the key has one."""
    workers: int = dataclasses.field(default_factory=available_cpus)
    """Threads that hash [one per processor]."""


def main(argv: list[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "genba sign")
    password = options.password_file.read_bytes().partition(b"\n")[0].rstrip(b"\r") if options.password_file else None
    count = sign(options.dataset, options.key, password=password, workers=options.workers)
    print(f"{options.dataset}: {count} files signed: {SIGNED}, {SIGNATURE}")
    return 0
