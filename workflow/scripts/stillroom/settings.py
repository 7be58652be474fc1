"""The settings of a ranker, as the library reads them.

Nothing but data is here: what trains a ranker imports this module, so an edit here retrains. No defaults
either: they are in the config's schema, and nowhere else.
"""

from dataclasses import asdict, dataclass

CONTRASTIVE = "nll"  # the loss whose weight is `contrastive`


@dataclass(frozen=True)
class EncoderSettings:
    """A pretrained encoder (`package:<package>`, a folder, a hub id, `words:<file>`) and its length limits."""

    weights: str
    revision: str | None
    layers: int | list[int] | None
    query_tokens: int
    passage_tokens: int


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast to train."""

    steps: int
    batch_size: int
    positives: int
    negatives: int
    accumulate: int
    optimizer: str
    learning_rate: float
    minimum_learning_rate: float
    kernel_learning_rate: float | None
    schedule: str
    warmup_steps: int
    weight_decay: float
    dropout: float | None
    passage_tokens: int | None
    gradient_clipping: float | None
    precision: str
    gradient_checkpointing: bool
    chunk_tokens: int | None
    validate_every: int | None
    patience: int | None


@dataclass(frozen=True)
class InBatchSettings:
    """Dual supervision; `teacher` is the name of a ranker."""

    loss: str
    teacher: str
    weight: float


@dataclass(frozen=True)
class ValidationCandidatesSettings:
    """Which ranker's index is searched for validation candidates; both are names of inputs."""

    ranker: str
    index: str


@dataclass(frozen=True)
class RankerSettings:
    """All that the training of one ranker reads.

    Teacher, training set, clustering and validation candidates are names of inputs.
    """

    architecture: str
    encoder: EncoderSettings
    pooling: str
    normalize: bool
    temperature: float
    cross_attention_bias: float
    pre_classifier: bool
    join_layer: int
    dimensions: int | None
    linear_bias: bool
    query_augmentation: int
    contextual_layers: int
    checkpoint: str | None
    revision: str | None
    loss: str | None
    loss_settings: dict[str, float]  # what the losses READ
    contrastive: float | None
    teacher: str | None
    training: TrainingSettings | None
    training_set: str | None
    sampler: str
    clustering: str | None
    in_batch: InBatchSettings | None
    validation_candidates: ValidationCandidatesSettings | None


def ranker_settings(resolved: dict) -> RankerSettings:
    """The settings from a nested dict, made by `stillroom.config.resolve_ranker` or `settings_to_dict`."""
    training, in_batch, candidates = (resolved[key] for key in ("training", "in_batch", "validation_candidates"))
    parts = {
        "encoder": EncoderSettings(**resolved["encoder"]),
        "training": TrainingSettings(**training) if training else None,
        "in_batch": InBatchSettings(**in_batch) if in_batch else None,
        "validation_candidates": ValidationCandidatesSettings(**candidates) if candidates else None,
    }
    return RankerSettings(**{**resolved, **parts})


def settings_to_dict(settings: RankerSettings) -> dict:
    """The settings as a nested dict, ready for JSON."""
    return asdict(settings)
