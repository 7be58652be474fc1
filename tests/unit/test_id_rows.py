"""Row numbers of ids."""

import numpy as np
import pyarrow as pa
import pytest

from stillroom.id_rows import IdRows

INTEGERS = ["7", "0", "123456789012345678", "10", "1"]
STRINGS = [*INTEGERS[:4], "01", "-1", "D10", "", "ä", "1234567890123456789", "9223372036854775808"]
OTHER = ["00", "+7", " 7", "7 ", "7.0", "-0", "-7", "1e1", "D7", "10\n", "٧", "99999999999999999999", "8"]


@pytest.mark.parametrize("known", [INTEGERS, STRINGS])
def test_every_id_is_found_as_it_is_written_and_no_other_one(known):
    rows = IdRows(pa.chunked_array([known[:2], known[2:]], pa.string()))
    wanted = np.random.default_rng(2).permutation([*INTEGERS, *STRINGS, *OTHER, *OTHER])
    expected = [known.index(name) if name in known else -1 for name in wanted]
    assert rows.find(pa.array(wanted, pa.string())).tolist() == expected
    assert len(rows) == len(known)


def test_ids_of_another_kind_are_all_unknown():
    assert IdRows(pa.chunked_array([INTEGERS])).find(pa.array(["D1", "D2"])).tolist() == [-1, -1]
    assert IdRows(pa.chunked_array([["D1"]])).find(pa.array(["1", "2"])).tolist() == [-1, -1]
