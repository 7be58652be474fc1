"""Row numbers of ids."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillroom.id_rows import IdRows, read_ids

COUNTED = ["0", "1", "2", "3", "4", "5"]  # each is its row
INTEGERS = ["7", "0", "123456789012345678", "10", "1"]
STRINGS = [*INTEGERS[:4], "01", "-1", "D10", "", "ä", "1234567890123456789", "9223372036854775808"]
OTHER = ["00", "+7", " 7", "7 ", "7.0", "-0", "-7", "1e1", "D7", "10\n", "٧", "99999999999999999999", "8"]


@pytest.mark.parametrize("known", [COUNTED, INTEGERS, STRINGS])
def test_every_id_is_found_as_it_is_written_and_no_other_one(known):
    rows = IdRows(pa.chunked_array([known[:2], known[2:]], pa.string()))
    wanted = np.random.default_rng(2).permutation([*INTEGERS, *STRINGS, *OTHER, *OTHER])
    expected = [known.index(name) if name in known else -1 for name in wanted]
    assert rows.find(pa.array(wanted, pa.string())).tolist() == expected
    assert len(rows) == len(known)


def test_ids_of_another_kind_are_all_unknown():
    assert IdRows(pa.chunked_array([INTEGERS])).find(pa.array(["D1", "D2"])).tolist() == [-1, -1]
    assert IdRows(pa.chunked_array([["D1"]])).find(pa.array(["1", "2"])).tolist() == [-1, -1]


def test_ids_are_one_array_whose_offsets_do_not_end_at_two_gigabytes(tmp_path):
    pq.write_table(pa.table({"id": ["b", "a", "c"]}), tmp_path / "ids.parquet", row_group_size=1)
    ids = read_ids(tmp_path / "ids.parquet", "id")
    assert ids.type == pa.large_string() and isinstance(ids, pa.Array)
    assert ids.take(pa.array([2, 0, 2])).to_pylist() == ["c", "b", "c"]
    assert IdRows.read(tmp_path / "ids.parquet", "id").known_ids.equals(ids)
