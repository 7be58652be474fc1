"""Arrays on the disk."""

import errno

import numpy as np
import pytest

from stillroom import mapped_arrays


@pytest.mark.parametrize("shape", [(3, 5), (0,), (7,)])
def test_zeros_are_on_the_disk_and_what_is_put_there_stays(shape, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped_arrays, "BLOCK_BYTES", 11)
    found = mapped_arrays.mapped_zeros(tmp_path / "zeros.npy", np.int32, shape)
    assert isinstance(found, np.memmap) and found.shape == shape and not found.any()
    found[...] = 7
    found.flush()
    assert np.array_equal(np.load(tmp_path / "zeros.npy"), np.full(shape, 7, np.int32))


def test_a_disk_that_is_full_is_named_before_anything_is_mapped(tmp_path, monkeypatch):
    def fill(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", fill)
    with pytest.raises(OSError, match=r"zeros\.npy: No space left on device; this step keeps 4,000 bytes there while"):
        mapped_arrays.mapped_zeros(tmp_path / "zeros.npy", np.int32, (1_000,))
