"""Vectors of passages in one file, in the layout of faiss's IndexFlatIP: a header, then float32 rows.

It is written in a stream and read memory-mapped, and faiss and Pyserini open it as an exact index.
Shape suffixes: V = vectors, D = dimensions.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

# faiss's write_index: the kind of index, dimensions, vectors, two numbers without a meaning, is_trained, the metric (0:
# inner product), and how many numbers follow. Its rows begin at byte 45, so mapped vectors are not aligned in memory:
# a block is copied before anything computes with it.
HEADER = struct.Struct("<4siqqq?iQ")
KIND, NO_MEANING = b"IxFI", 1 << 20
NUMBER = np.dtype("<f4")


class VectorWriter:
    """Writes so many vectors in their order, block by block, by ordinary writes: mapped ones would fill the memory.

    The file has room for all from the start, zeros until they are written, and one that is there is never shortened. So
    several may write into one file, each on from a number of vectors that are `done`, or that others write.
    """

    def __init__(self, path: str | Path, count: int, dimensions: int, done: int = 0):
        self.file = writable(path)
        self.file.write(header_of(count, dimensions))
        if Path(path).stat().st_size < bytes_of(count, dimensions):
            self.file.truncate(bytes_of(count, dimensions))
        self.file.seek(bytes_of(done, dimensions))

    def __enter__(self) -> "VectorWriter":
        return self

    def __exit__(self, *error) -> None:
        self.file.close()

    def write(self, vectors_VD: np.ndarray) -> None:
        """Append vectors; when this returns they are on the disk, so that a machine that fails loses none."""
        self.file.write(np.ascontiguousarray(vectors_VD, NUMBER).tobytes())
        self.file.flush()
        os.fsync(self.file.fileno())


def writable(path: str | Path) -> BinaryIO:
    """A file as it is, or a new one, to write into and not to read.

    Where a file may be read, too, a network file system reads the pages around what is written and writes them back
    whole, over what another machine has written there meanwhile.
    """
    return open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666), "wb")


def header_of(count: int, dimensions: int) -> bytes:
    """The header of so many vectors."""
    return HEADER.pack(KIND, dimensions, count, NO_MEANING, NO_MEANING, True, 0, count * dimensions)


def open_vectors(path: str | Path) -> np.ndarray:
    """The vectors_VD of a file, memory-mapped; one that is cut off, or no such file, stops."""
    if not is_vectors(path):
        raise ValueError(f"{path}: no vectors in the layout of faiss's IndexFlatIP; encode the passages again.")
    with open(path, "rb") as file:
        _, dimensions, count, _, _, _, _, numbers = HEADER.unpack(file.read(HEADER.size))
    expected, found = bytes_of(count, dimensions), Path(path).stat().st_size
    if found != expected or numbers != count * dimensions:
        raise ValueError(
            f"{path}: expected {expected:,} bytes of {count:,} vectors with {dimensions:,} dimensions, found "
            f"{found:,}; encode the passages again."
        )
    if not count:  # nothing that can be mapped
        return np.empty((0, dimensions), NUMBER)
    return np.memmap(path, NUMBER, "r", offset=HEADER.size, shape=(count, dimensions))


def is_vectors(path: str | Path) -> bool:
    """Whether a file is of this layout, by how it begins."""
    with open(path, "rb") as file:
        start = file.read(HEADER.size)
    return len(start) == HEADER.size and start.startswith(KIND)


def bytes_of(count: int, dimensions: int) -> int:
    """The size of a file of so many vectors."""
    return HEADER.size + count * dimensions * NUMBER.itemsize
