"""Devices: choice by name, and free memory."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, Final

import torch

from .errors import InputError

THREADS_VARIABLE: Final = "OMP_NUM_THREADS"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST_KEPT: Final = 2**25  # bytes of one allocation; glibc takes no more
MOST_KEPT: Final = 2**28  # bytes


def pick_device(name: str) -> torch.device:
    """Turn a name into a device: "auto" is the GPU where there is one, else the CPU.

    Raises InputError for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"{name!r} cannot be used here. Choose another, such as cpu.", "device") from error
    return device


def has_bfloat16_matrices() -> bool:
    """Tell whether the processor has units for matrices of bfloat16 (Intel's AMX, Arm's BFMMLA) that PyTorch can use.

    AVX-512's dot products of bfloat16 do not count: on a Xeon without AMX they came to 0.55 of float32's speed.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    if not hasattr(torch.cpu, "get_capabilities"):  # PyTorch before 2.11
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
    known = torch.cpu.get_capabilities()
    return bool((known.get("amx_tile") and known.get("amx_bf16")) or known.get("bf16"))  # Arm's have "bf16"


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that can still be allocated on a device; None where the device does not report them."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "cpu" and "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def trim_heap() -> None:
    """Give freed memory back to the system where the C library keeps it (glibc); elsewhere nothing is done."""
    trim = _of_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def keep_heap() -> None:
    """Have the C library (glibc) keep freed memory for what comes next, until `trim_heap`; elsewhere nothing is done.

    Work that needs the same memory again and again, as for every frame, else has the system clear it each time.
    """
    adjust = _of_c_library("mallopt")
    if adjust is not None:
        adjust(M_MMAP_THRESHOLD, LARGEST_KEPT)
        adjust(M_TRIM_THRESHOLD, MOST_KEPT)


def share_processors(count: int) -> None:
    """Divide the threads that PyTorch chose among `count` who use it at once, unless the user chose how many."""
    if THREADS_VARIABLE not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // count))


def _of_c_library(name: str) -> Callable[..., Any] | None:
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
