"""Linear layers whose weights lie as oneDNN reads them, for encoders that only compute, in float32 on a CPU.

torch's own call to MKL arranges the weights anew for every product. Arranged once, all layers of a small encoder
together are about a fifth faster, and results differ by less than 1e-5.
"""

import torch
from torch import nn


class PrepackedLinear(nn.Module):
    """A linear layer that cannot be trained or saved any more."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        self.bias = None if layer.bias is None else layer.bias.detach()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")


def prepack_layers(model: nn.Module) -> None:
    """Replace the linear layers of a model, those that several of its parts share by one that they share."""
    if not torch.backends.mkldnn.is_available():
        return
    packed: dict[nn.Linear, PrepackedLinear] = {}
    for part in list(model.modules()):
        for name, layer in part.named_children():
            if type(layer) is nn.Linear:
                if layer not in packed:
                    packed[layer] = PrepackedLinear(layer)
                setattr(part, name, packed[layer])
