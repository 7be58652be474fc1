"""Arrays on the disk in place of memory, for what a step keeps while it runs."""

import math
from pathlib import Path

import numpy as np

BLOCK_BYTES = 1 << 24


def mapped_zeros(path: str | Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """A memory-mapped array in a new file.

    Its zeros are written: where a mapped file that has none yet finds no room on the disk, the process ends without a
    word.
    """
    description = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    left = size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, description)
            while left:
                left -= file.write(bytes(min(left, BLOCK_BYTES)))
    except OSError as error:
        raise OSError(f"{path}: {error.strerror}; this step keeps {size:,} bytes there while it runs.") from error
    return np.lib.format.open_memmap(path, "r+")
