"""The common interface of all rankers.

Shape suffixes: B = (query, passage) rows, Q = queries, P = passages, L = tokens, D = embedding dimensions.
Texts come as arrays of token ids without special tokens. Scores have no unit; larger means more relevant.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig

from stillroom.batches import (
    CHUNK_TOKENS,
    USE_TOKENS,
    WINDOW_TEXTS,
    chunks_by_length,
    even_chunks,
    pad,
    side_by_side,
)
from stillroom.best_device import best_device
from stillroom.encoders import UNLIMITED, check_safetensors, load_encoder, load_tokenizer
from stillroom.gradient_caching import represented_twice
from stillroom.packed_attention import run_encoder
from stillroom.registry import named
from stillroom.settings import RankerSettings, ranker_settings, settings_to_dict

Texts = Sequence[np.ndarray]


class Ranker(nn.Module, ABC):
    """A model that scores passages for queries.

    `precision` is what its encoder computes in; a training or a use may lower it. Similarities, heads and losses stay
    float32: scores of 100 and more, as dot products are, would keep too few digits of their margins. `gpu_tokens` are
    computed at a time on a GPU when nothing is learnt, where the default is too much.
    """

    precision = torch.float32
    gpu_tokens: int | None = None

    def __init__(self, settings: RankerSettings, encoder: nn.Module, tokenizer):
        super().__init__()
        self.settings = settings
        self.tokenizer = tokenizer
        self.encoder = encoder

    @abstractmethod
    def score(self, queries: Texts, passages: Texts) -> torch.Tensor:
        """scores_B of row i's passage for row i's query."""

    def score_groups(self, queries: Texts, passages: Texts) -> torch.Tensor:
        """scores_BP of each query's own passages: first come the first ones of all queries, then their second ones."""
        scores = self.score([*queries] * (len(passages) // len(queries)), passages)
        return scores.view(-1, len(queries)).T

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def tokens_in_use(self) -> int:
        """So many tokens are computed at a time when nothing is learnt."""
        return (self.gpu_tokens if self.device.type == "cuda" else None) or USE_TOKENS[self.device.type]

    @property
    def window(self) -> int:
        """So many texts, or pairs, are represented or scored together."""
        return WINDOW_TEXTS[self.device.type]

    def query_input(self, query: np.ndarray) -> np.ndarray:
        """[CLS] query [SEP], cut to the encoder's `query_tokens` (which count the special tokens)."""
        return self.with_special_tokens(query, self.settings.encoder.query_tokens)

    def passage_input(self, passage: np.ndarray) -> np.ndarray:
        """[CLS] passage [SEP], cut to `passage_tokens` (which count the special tokens)."""
        return self.with_special_tokens(passage, self.passage_tokens)

    @property
    def passage_tokens(self) -> int:
        """The encoder's limit; while training a shorter one, where that is set."""
        training = self.settings.training
        shorter = training.passage_tokens if training and self.training else None
        return shorter or self.settings.encoder.passage_tokens

    def with_special_tokens(self, ids: np.ndarray, limit: int) -> np.ndarray:
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        return np.concatenate([[first], ids[: limit - 2], [last]]).astype(np.int64)

    def in_chunks(self, inputs: Texts, forward: Callable[[np.ndarray], list[torch.Tensor]]) -> list[torch.Tensor]:
        """Results of `forward(rows)` for chunks of inputs of similar length, back in the order of the inputs."""
        results: list[torch.Tensor] = [None] * len(inputs)
        for rows, chunk in self.chunk_results(inputs, forward):
            for row, result in zip(rows, chunk, strict=True):
                results[row] = result.float()
        return results

    def in_chunks_joined(self, inputs: Texts, forward: Callable[[np.ndarray], torch.Tensor]) -> torch.Tensor:
        """As `in_chunks`, of results that are one tensor for each chunk, and one for all in the end."""
        rows, chunks = zip(*self.chunk_results(inputs, forward), strict=True)
        return torch.cat([chunk.float() for chunk in chunks])[np.argsort(np.concatenate(rows))]

    def chunk_results(self, inputs: Texts, forward: Callable[[np.ndarray], Sequence]) -> list[tuple[np.ndarray, Any]]:
        """(rows, `forward(rows)`) of all chunks."""
        lengths, device, cached_tokens = [len(row) for row in inputs], self.device, self.cached_tokens
        is_used = torch.is_inference_mode_enabled()

        def run(rows):
            with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
                return rows, represented_twice(forward, rows, device) if cached_tokens else forward(rows)

        if not is_used:
            return [run(rows) for rows in chunks_by_length(lengths, cached_tokens or CHUNK_TOKENS[device.type])]
        chunks = even_chunks(lengths, self.tokens_in_use)
        return side_by_side(run, chunks) if device.type == "cpu" else [run(rows) for rows in chunks]

    @property
    def cached_tokens(self) -> int | None:
        """So many tokens are represented at a time while training with gradient caching."""
        training = self.settings.training
        return training.chunk_tokens if training and self.training and torch.is_grad_enabled() else None

    def in_float32(self) -> torch.autocast:
        """A context within a `forward` of `in_chunks`, for what is not the encoder's: its inputs have to be float32."""
        return torch.autocast(self.device.type, enabled=False)

    def hidden_states(self, inputs: Texts, encoder: nn.Module | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The last layer of an encoder, by default its own, for padded inputs, and its mask: hidden_BLD, mask_BL."""
        ids_BL, mask_BL = pad(inputs, self.tokenizer.pad_token_id, self.device)
        lengths = np.array([len(row) for row in inputs])
        output = run_encoder(self.encoder if encoder is None else encoder, ids_BL, mask_BL, lengths)
        return output.last_hidden_state, mask_BL

    def kernel_parameters(self) -> list[nn.Parameter]:
        """The similarity's parameters, with the learning rate of kernels: none but for architectures with KERNELS."""
        return []

    # Model folders

    @classmethod
    def new(cls, settings: RankerSettings) -> "Ranker":
        """The ranker before training: published encoder weights; new parts from torch's random generator."""
        encoder = load_encoder(settings.encoder, settings.training.dropout if settings.training else None)
        return cls(settings, encoder, load_tokenizer(settings.encoder.weights, settings.encoder.revision))

    @classmethod
    def blank_encoder(cls, folder: Path, weights: dict[str, torch.Tensor]) -> nn.Module:
        """The encoder of a saved folder, before its weights are loaded."""
        return AutoModel.from_config(AutoConfig.from_pretrained(folder))

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Prefix of names in model.safetensors → module. The encoder alone has its own names: others can load it."""
        return {"": self.encoder}

    @property
    def config(self) -> PreTrainedConfig | None:
        """What config.json says, by which transformers knows the folder; None where it is no model of transformers."""
        return self.encoder.config

    def weights(self) -> dict[str, torch.Tensor]:
        """The tensors of model.safetensors."""
        parts = self.parts.items()
        return {f"{prefix}{name}": tensor for prefix, part in parts for name, tensor in part.state_dict().items()}

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        for prefix, part in self.parts.items():
            part.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})

    def save(self, folder: str | Path) -> None:
        """Write model.safetensors, config.json, the tokenizer and ranker.json (our settings)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if self.config is not None:
            self.config.save_pretrained(folder)
        self.tokenizer.model_max_length = self.settings.encoder.passage_tokens  # for other libraries' sake
        self.tokenizer.save_pretrained(folder)
        self.tokenizer.model_max_length = UNLIMITED
        (folder / "ranker.json").write_text(json.dumps(settings_to_dict(self.settings), indent=2) + "\n")
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.weights().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def load_ranker(folder: str | Path, device: torch.device | None = None) -> Ranker:
    """The ranker in a folder that `save` has written, in evaluation mode on a device, or on the best there is."""
    folder = Path(folder)
    settings = ranker_settings(json.loads((folder / "ranker.json").read_text()))
    check_safetensors(folder / "model.safetensors")
    weights = load_file(folder / "model.safetensors")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = UNLIMITED
    architecture = named("architectures", settings.architecture)
    model = architecture(settings, architecture.blank_encoder(folder, weights), tokenizer)
    model.load_weights(weights)
    return model.to(device or best_device()).eval()


def model_files(folder: str | Path) -> list[Path]:
    """The files that scores depend on: weights, and settings such as pooling and lengths, which leave weights alone."""
    return [Path(folder) / "model.safetensors", Path(folder) / "ranker.json"]
