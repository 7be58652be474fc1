"""Neural rankers, one file each; `stillroom.ranker` has their common interface."""
