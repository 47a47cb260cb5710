"""What a shard's file may contain; every other file is refused here before any column of it is read.

Only what is known to be harmless passes: own rows in plain storage, known filters, numbers and text, sizes that the
bytes on the disk can hold.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from generators.schema import DatasetError

FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32015: "zstd"}  # HDF5's registered filter ids
RATIOS = {1: 1032, 32015: 1 << 15}  # what a byte may unpack to: deflate, zstd (128 KiB of one value in 4 bytes)
MAX_COLUMN_BYTES = 4 << 30
MAX_CHUNK_BYTES = 64 << 20
MAX_RATIO = 1100  # deflate cannot shrink by more than 1032
PICTURES = ("rgb", "depth", "segmentation", "value")  # columns of media shards that are never read as a whole
MAX_PICTURE_BYTES = 1 << 40
MAX_PICTURE_RATIO = 1 << 15  # zstd puts 128 KiB of one value into 4 bytes
MAX_OBJECTS = 100_000
HEAP_BYTES = 8 << 20  # of a file's beginning, in which heaps are looked at before HDF5 does
_HEAP = b"GCOL\x01\0\0\0"
MAX_PATH = 1000  # letters


def check_structure(
    file: h5py.File,
    max_column_bytes: int = MAX_COLUMN_BYTES,
    *,
    media: bool = False,
    what: str = "a shard",
    max_objects: int = MAX_OBJECTS,
    ragged: str = "",
) -> None:
    """Walk a file without reading any column and refuse what a shard never contains.

    Args:
        file: it, open.
        max_column_bytes: how large one column may say that it is.
        media: whether it holds pictures, which may be many and shrink well.
        what: what it is called in messages.
        max_objects: how many groups and columns it may have.
        ragged: what the path of a column begins with that may hold text of variable length; who reads it must count,
            for many rows may name one text. "" for none.

    Raises:
        DatasetError: links, storage, filters, types or sizes that a shard does not have.
    """
    pending: list[tuple[str, Any]] = [("", file.id)]
    seen: set[int] = {h5py.h5o.get_info(file.id).addr}
    while pending:
        path, group = pending.pop()
        _check_attributes(path, group, what)
        for name in list(group):
            child = f"{path}/{name.decode('utf-8', 'replace')}"
            if len(child) > MAX_PATH:
                raise DatasetError(f"{child:.60}... is a longer name than {what} contains")
            if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise DatasetError(f"{child} is a link to elsewhere, which {what} never contains")
            info = h5py.h5o.get_info(group, name)
            if info.addr in seen:
                raise DatasetError(f"{child} is linked twice, which {what} never contains")
            seen.add(info.addr)
            if len(seen) > max_objects:
                raise DatasetError(f"more than {max_objects} objects, which {what} never contains")
            if info.type == h5py.h5o.TYPE_GROUP:
                pending.append((child, h5py.h5g.open(group, name)))
            elif info.type == h5py.h5o.TYPE_DATASET:
                dataset = h5py.h5d.open(group, name)
                _check_attributes(child, dataset, what)
                roomy = media and name.decode("utf-8", "replace") in PICTURES
                limits = (MAX_PICTURE_BYTES, MAX_PICTURE_RATIO) if roomy else (max_column_bytes, MAX_RATIO)
                if _is_ragged(dataset.get_type()) and not (ragged and child.startswith(ragged)):
                    raise DatasetError(f"{child} holds text of variable length, which {what} never does")
                _check_dataset(child, dataset, *limits, what)
            else:
                raise DatasetError(f"{child} is a named type, which {what} never contains")


def check_file(path: Path, limits: Mapping[str, Any], *, reach: bool = True) -> None:
    """Go through a file as whoever reads it will: heaps, structure, attributes, and where every chunk is.

    Args:
        path: the file.
        limits: arguments of `check_structure`.
        reach: whether to look up chunks.

    Raises:
        DatasetError: as `check_structure`; a chunk is not in the file, or unpacks to more than it may.
        OSError, RuntimeError, MemoryError: HDF5 cannot read it.
    """
    size = path.stat().st_size
    with path.open("rb") as raw:
        check_heaps(raw.read(HEAP_BYTES), size)
    with h5py.File(path, "r") as file:
        check_structure(file, **limits)
        nodes: list[Any] = [file]
        file.visititems(lambda _name, node: nodes.append(node))
        for node in nodes:
            for name in node.attrs:
                node.attrs[name]
            if reach and isinstance(node, h5py.Dataset) and node.chunks:
                _check_chunks(node, size)


def _check_chunks(dataset: Any, size: int) -> None:  # noqa: ANN401 - h5py's types are not told
    plist, path = dataset.id.get_create_plist(), str(dataset.name)
    ratio = math.prod(RATIOS.get(plist.get_filter(i)[0], 1) for i in range(plist.get_nfilters()))
    most = math.prod(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
    large: list[tuple[int, ...]] = []
    count = 0

    def look(chunk: Any) -> bool | None:  # noqa: ANN401
        nonlocal count
        count += 1
        if count > most or chunk.byte_offset is None or chunk.byte_offset + chunk.size > size:
            return True
        if chunk.size * ratio > MAX_CHUNK_BYTES:
            large.append(chunk.chunk_offset)
        return None

    if dataset.id.chunk_iter(look):
        raise DatasetError(f"{path} has chunks that are not in the file, or more than it has rows for")
    if ratio > 1 and not path.endswith(PICTURES):
        try:
            for at in large:
                dataset[tuple(slice(start, start + step) for start, step in zip(at, dataset.chunks, strict=True))]
        except (OSError, MemoryError) as error:
            raise DatasetError(f"{path} cannot be unpacked: {str(error) or 'it takes too much memory'}") from None


def check_heaps(data: bytes, file_bytes: int) -> None:
    """Refuse texts of attributes that are stored so that HDF5 would never come to their end, or to no memory's.

    Args:
        data: the beginning of the file, where ours keep them.
        file_bytes: how large the whole of it is.

    Raises:
        DatasetError: a heap is larger than the file, or a piece of its free space has no size.
    """
    at = data.find(_HEAP)
    while at >= 0:
        place, end = at + 16, at + int.from_bytes(data[at + 8 : at + 16], "little")
        if end > file_bytes:
            raise DatasetError(f"the texts of its attributes are damaged: they would end at byte {end} of {file_bytes}")
        while place + 16 <= min(end, len(data)):
            number, size = data[place : place + 2], int.from_bytes(data[place + 8 : place + 16], "little")
            if number == bytes(2) and size == 0:
                raise DatasetError(f"the texts of its attributes are damaged: free space of no size at byte {place}")
            place += size if number == bytes(2) else 16 + -(-size // 8) * 8
        at = data.find(_HEAP, at + 4)


def _check_attributes(path: str, node: Any, what: str) -> None:  # noqa: ANN401 - h5py's low-level objects have no types
    for i in range(h5py.h5a.get_num_attrs(node)):
        attribute = h5py.h5a.open(node, index=i)
        name = f"{path or '/'} attribute {attribute.name.decode('utf-8', 'replace')!r}"
        kind = attribute.get_type()
        if not _known(kind):
            raise DatasetError(f"{name} has a type that {what} never contains")
        if math.prod(attribute.shape) * kind.get_size() > MAX_CHUNK_BYTES:
            raise DatasetError(f"{name} declares more than {MAX_CHUNK_BYTES} bytes")


def _check_dataset(path: str, dataset: Any, max_bytes: int, max_ratio: int, what: str) -> None:  # noqa: ANN401
    kind, plist = dataset.get_type(), dataset.get_create_plist()
    if plist.get_external_count():
        raise DatasetError(f"{path} keeps its rows in another file, which {what} never does")
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        raise DatasetError(f"{path} is a virtual dataset, which {what} never contains")
    for i in range(plist.get_nfilters()):
        if (code := plist.get_filter(i)[0]) not in FILTERS:
            raise DatasetError(f"{path} uses filter {code}; known: {', '.join(FILTERS.values())}")
    if not _known(kind):
        raise DatasetError(f"{path} has a type that {what} never contains")
    if plist.get_layout() == h5py.h5d.CHUNKED and math.prod(plist.get_chunk()) * kind.get_size() > MAX_CHUNK_BYTES:
        raise DatasetError(f"{path} declares chunks of more than {MAX_CHUNK_BYTES} bytes")
    declared, stored = math.prod(dataset.shape) * kind.get_size(), dataset.get_storage_size()
    if declared > max_bytes or declared > max(MAX_CHUNK_BYTES, max_ratio * stored):
        raise DatasetError(f"{path} declares {declared} bytes but stores {stored}; at most {max_bytes} are read")


def _is_ragged(kind: Any) -> bool:  # noqa: ANN401
    return kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()


def _known(kind: Any) -> bool:  # noqa: ANN401
    # text of variable length, in attributes, is in the file's own heap
    return kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM, h5py.h5t.STRING)
