"""What encoders compute in: single or, on a GPU, half precision."""

import torch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_precision(section: str, precision: str, device: torch.device) -> None:
    """Half precision needs a GPU that has it; `section` of the config asks for it."""
    if precision == "fp32":
        return
    if device.type == "cpu":
        raise ValueError(
            f"{section}: precision is {precision}, but there is no GPU, and a CPU is slower with it by far; "
            "set precision to fp32."
        )
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ValueError(f"{section}: precision is bf16, which this GPU does not have; set precision to fp16 or fp32.")
