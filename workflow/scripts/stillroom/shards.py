"""Shards: few large parts of a long list of work, which may be done side by side."""


def rows_of_shard(count: int, shard: int, shards: int) -> range:
    """The rows of one of so many shards, counted from 1, which differ by one row in size at most."""
    return range(count * (shard - 1) // shards, count * shard // shards)
