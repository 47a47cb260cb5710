"""Signs a dataset: one list of the hashes of all its files, and a detached Ed25519 signature over that list.

Both are what sha256sum and OpenSSL read, so that they can be checked without genba, offline:

    openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in SIGNED.SHA256SUMS -sigfile SIGNED.SHA256SUMS.sig
    sha256sum --check SIGNED.SHA256SUMS

logs/ and names that begin with a dot are not part of a dataset: they are neither listed nor missed.
"""

import concurrent.futures
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from generators.files import write_whole
from generators.reader import file_sha256
from generators.schema import MANIFEST, DatasetError
from sim.errors import GenbaError, MissingExtraError, describe_error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNED = "SIGNED.SHA256SUMS"
SIGNATURE = f"{SIGNED}.sig"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_MAKE_ONE = "make one: openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout -out pub.pem"


class KeyFileError(GenbaError, ValueError):
    """A key that cannot be read, or is none that signs datasets."""


def sign(folder: Path, key: Path, *, password: bytes | None = None, workers: int = 1) -> int:
    """Hash all files of a dataset and sign the list; return how many there are.

    Args:
        folder: the dataset's.
        key: a private Ed25519 key, PEM.
        password: of the key, where it has one.
        workers: threads that hash.

    Raises:
        DatasetError: it is none, or holds a link out of it.
        KeyFileError: the key cannot be used.
        MissingExtraError: in one sentence, with what to install.
    """
    private = _private_key(key, password)
    names = list(_names(folder))
    if MANIFEST not in names:
        raise DatasetError(f"{folder} is no dataset: it has no {MANIFEST}")
    data = "".join(f"{digest}  {name}\n" for name, digest in _hashes(folder, names, workers)).encode()
    write_whole(folder / SIGNED, data)
    write_whole(folder / SIGNATURE, private.sign(data))
    return len(names)


def verify(folder: Path, key: Path, *, workers: int = 1) -> list[str]:
    """Tell what of a dataset is not as it was signed: "shards/shard-00000.h5: ..."; nothing where all is.

    Args:
        folder: the dataset's.
        key: the signer's public Ed25519 key, PEM.
        workers: threads that hash.

    Raises:
        DatasetError: it was not signed, or holds a link out of it.
        KeyFileError: the key cannot be used.
        MissingExtraError: in one sentence, with what to install.
    """
    public = _public_key(key)
    try:
        data, signature = (folder / SIGNED).read_bytes(), (folder / SIGNATURE).read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(f"{folder} is not signed: it has no {Path(error.filename).name}") from None
    if not _signed(public, data, signature):
        return [f"{SIGNED}: it is not what the owner of {key} has signed"]
    listed = _listed(data)
    there = list(_names(folder))
    findings = {name: "it is missing" for name in listed if name not in there}
    findings |= {name: "it was added after signing" for name in there if name not in listed}
    known = [name for name in there if name in listed]
    findings |= {
        n: "it was changed after signing" for n, digest in _hashes(folder, known, workers) if digest != listed[n]
    }
    return [f"{name}: {what}" for name, what in sorted(findings.items())]


def _names(folder: Path) -> Iterator[str]:
    """Go through the files of a dataset in the order of their names."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] == "logs" or any(part.startswith(".") for part in name.parts):
            continue
        if not path.resolve().is_relative_to(root):
            raise DatasetError(f"{path} is a link out of the dataset")
        if path.is_dir():
            continue
        if "\n" in str(name) or "\\" in str(name):
            raise DatasetError(f"{str(name)!r} is no name that a list of hashes can hold")
        if str(name) not in (SIGNED, SIGNATURE):
            yield name.as_posix()


def _hashes(folder: Path, names: list[str], workers: int) -> Iterator[tuple[str, str]]:
    with concurrent.futures.ThreadPoolExecutor(max(1, workers)) as pool:
        yield from zip(names, pool.map(file_sha256, [folder / name for name in names]), strict=True)


def _listed(data: bytes) -> dict[str, str]:
    found = [_LINE.fullmatch(line) for line in data.decode().split("\n")]
    return {match[2]: match[1] for match in found if match}


def _signed(public: "Ed25519PublicKey", data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _private_key(path: Path, password: bytes | None) -> "Ed25519PrivateKey":
    _check_extra()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    try:
        key = load_pem_private_key(data, password)
    except (ValueError, TypeError) as error:  # TypeError: a password is missing, or one too many
        raise KeyFileError(f"{path} is no private key that can be used: {describe_error(error)}; {_MAKE_ONE}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} is no Ed25519 key; {_MAKE_ONE}")
    return key


def _public_key(path: Path) -> "Ed25519PublicKey":
    _check_extra()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path)
    try:
        key = load_pem_public_key(data)
    except ValueError as error:
        raise KeyFileError(f"{path} is no public key: {describe_error(error)}; {_MAKE_ONE}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path} is no Ed25519 key; {_MAKE_ONE}")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}; {_MAKE_ONE}") from None


def _check_extra() -> None:
    if importlib.util.find_spec("cryptography") is None:
        raise MissingExtraError("signatures need the package cryptography: pip install 'genba[sign]'")
