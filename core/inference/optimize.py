"""Bring a loaded network into the form that it is run in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

from .batch_invariance import make_batch_invariant
from .precision import allow_tf32, to_mixed_precision
from .rewrites import form_for, rewrite

_Network = TypeVar("_Network", bound=nn.Module)


def optimize(
    network: _Network,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    *,
    fast: bool = True,
    keep_in_fp32: Sequence[str] = (),
    keep_in_tf32: Sequence[str] = (),
) -> _Network:
    """Optimise a network in evaluation mode for running on a device, in place; the caller moves it there.

    With `fast` it is rewritten into an equal network that runs faster, else it keeps its published form. Heavy layers
    run in `dtype`, apart from those inside the submodules `keep_in_fp32`, and `keep_in_tf32`, which run in
    TensorFloat-32 where a CUDA device has it. Whatever the form, on a CPU the result for a picture does not depend on
    the batch. What comes back is for inference only, and is not for saving.
    """
    if fast:
        rewrite(network, device, form_for(device, dtype))
    if dtype != torch.float32:
        to_mixed_precision(network, dtype, (*keep_in_fp32, *keep_in_tf32))
        if device.type == "cuda":
            allow_tf32(network, keep_in_tf32)
    return make_batch_invariant(network.requires_grad_(False))
