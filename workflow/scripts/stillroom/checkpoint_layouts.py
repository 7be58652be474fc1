"""How the tensors of published checkpoints are named, and what we call them."""

import logging
from typing import NamedTuple

import torch

logger = logging.getLogger(__name__)

Tensors = dict[str, torch.Tensor]


class Layout(NamedTuple):
    """How the tensors of a checkpoint are named: beginning → what we call it; other names stay.

    A checkpoint has this layout if all beginnings occur. `{encoder}` is the encoder's own prefix in transformers,
    such as `bert`; our names here are without it. `made_with` are the settings that the tensors do not show.
    """

    name: str
    beginnings: dict[str, str]
    made_with: dict | None = None


CROSS_ENCODER = {"pooling": "cls", "cross_attention_bias": 0.0}


# The first that fits is taken. The authors' are those of Hofstätter et al. 2020 (arXiv:2010.02666) on the hub: classes
# of their own, whose code is in the model cards.
LAYOUTS = [
    Layout("the authors' ColBERT", {"bert_model.": "", "compressor.": "linear."}),
    Layout("the authors' BERT_CAT", {"bert_model.": "", "_classification_layer.": "classifier."}, CROSS_ENCODER),
    Layout("the authors' PreTTR", {"_classification_layer.": "classifier."}),  # the encoder's names without a prefix
    Layout("a query encoder of transformers' DPR", {"question_encoder.bert_model.": ""}),
    Layout("a passage encoder of transformers' DPR", {"ctx_encoder.bert_model.": ""}),
    Layout("a classification of transformers", {"{encoder}.": "", "classifier.": "classifier."}, CROSS_ENCODER),
    Layout("an encoder with its prefix", {"{encoder}.": ""}),
    Layout("an encoder", {}),
]
# What predicted masked tokens, next sentences and the like in pre-training; an encoder is used without it.
PRETRAINING_HEADS = (
    *("cls.", "predictions.", "sop_classifier."),  # BERT; ALBERT
    *("vocab_layer_norm.", "vocab_projector.", "vocab_transform."),  # DistilBERT
    *("lm_head.", "discriminator_predictions."),  # RoBERTa, MPNet; ELECTRA
    *("lm_predictions.", "mask_predictions.", "head.", "decoder."),  # DeBERTa; ModernBERT
)
# Constants that older versions of transformers stored, and what the first BERT called a layer norm's parameters.
CONSTANTS = ("embeddings.position_ids", "embeddings.token_type_ids")
OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def layout_of(tensors: Tensors, prefix: str) -> Layout:
    """The first layout whose beginnings all occur."""
    for layout in LAYOUTS:
        beginnings = [prefix if beginning == "{encoder}." else beginning for beginning in layout.beginnings]
        if all(any(name.startswith(beginning) for name in tensors) for beginning in beginnings):
            return layout
    raise AssertionError("the last layout fits all")


def renamed(tensors: Tensors, layout: Layout, prefix: str) -> Tensors:
    """The tensors under our names, without constants and the heads of pre-training."""
    beginnings = {prefix if there == "{encoder}." else there: here for there, here in layout.beginnings.items()}
    result = {}
    for name, tensor in tensors.items():
        there = next((beginning for beginning in beginnings if name.startswith(beginning)), "")
        here = beginnings.get(there, "") + name.removeprefix(there)
        for old, new in OLD_NAMES.items():
            here = here.replace(old, new)
        if here.endswith(CONSTANTS):
            continue
        if here.startswith(PRETRAINING_HEADS):
            logger.info("left out, a head of pre-training: %s", name)
            continue
        result[here] = tensor
    return result
