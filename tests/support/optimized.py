"""Tiny models as they are run, not as they are trained, and a number of threads to run them on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from first_order_motion.animation.engine import Engine, optimize_for_inference
from first_order_motion.core.types import Animator
from support.architectures import CPU, tiny


@cache
def published_form(name: str) -> Animator:
    """A row's model optimised without rewrites; shared between tests, so left as it is."""
    return optimize_for_inference(copy.deepcopy(tiny(name)), CPU, Engine(fast=False))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
