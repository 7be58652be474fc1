"""Training losses, one file each.

Every loss has the signature `loss(student_scores_BP, teacher_scores_BP) → scalar`: row = query, column 0 = its
relevant passage, the other columns = passages that are less relevant. Losses without a teacher ignore the second.
`NEEDS_TEACHER` says which need one. With `WHOLE_BATCH` the other columns are those of `stillroom.batch_negatives`.
Groups may have several relevant passages, in the first columns: with `ONE_RELEVANT` a loss sees each of them apart,
with the same others. `READS` names a loss's settings, which it takes as keyword arguments; `positives` is the
training's number of relevant passages.
"""
