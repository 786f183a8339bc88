"""Runs the cases of a parity pack (`tests/parity/README.md`) through the code that users run."""

import runpy
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
runpy.run_path(str(HERE.parent / "animate.py"))["load_pack"]()
sys.path[:0] = [str(HERE), str(HERE / "parity")]

import compare
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.core.inference.precision import inference_mode
from support.parity_articulate import ArticulateAdapter
from support.parity_common import DEVICE, Arrays, undrawn
from support.parity_face_parsing import FaceParsingAdapter
from support.parity_fomm import FOMMAdapter
from support.parity_fsrt import FSRTAdapter
from support.parity_mrfa import MRFAAdapter
from support.parity_partswap import PartSwapAdapter
from support.parity_spline import SplineAdapter
from torch import Tensor

ADAPTERS = {
    "articulate": ArticulateAdapter,
    "face_parsing": FaceParsingAdapter,
    "fomm": FOMMAdapter,
    "fsrt": FSRTAdapter,
    "mrfa": MRFAAdapter,
    "partswap": PartSwapAdapter,
    "spline": SplineAdapter,
}


_kept: list[tuple[dict, dict, bool, object]] = []


def adapter_of(manifest: dict, states: dict[str, Arrays], options: dict, fast: bool):
    """An adapter with its optimised network: the last one once more where weights, options and form are the same."""
    if not (_kept and _kept[0][0] is states and _kept[0][1:3] == (options, fast)):
        _kept.clear()  # before another network takes memory
        with undrawn():
            adapter = ADAPTERS[manifest["arch"]](manifest, states, options)
        optimize(adapter.model, DEVICE, fast=fast).to(DEVICE)
        _kept.append((states, options, fast, adapter))
    return _kept[0][3]


def run_case(manifest: dict, states: dict[str, Arrays], case: dict, inputs: Arrays, fast: bool = False) -> Arrays:
    """The outputs of one case, named as in `case["outputs"]`; stages we have no counterpart for are left out.

    By networks that are optimised as users run them, in the published or in the fast form.
    """
    adapter = adapter_of(manifest, states, case.get("options", {}), fast)
    with inference_mode():
        got = adapter.run(case, inputs)
    for module in adapter.model.modules():  # lets go of what this case looked at
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return as_named(manifest, case, {name: as_array(value) for name, value in got.items()})


def as_array(value: Tensor | np.ndarray) -> np.ndarray:
    """An output in NumPy's memory."""
    return value.cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def as_named(manifest: dict, case: dict, got: Arrays) -> Arrays:
    """Prefix every output with its case, or with the case that this one must equal, then sliced as there."""
    prefix = case["outputs"][0].split("/", 1)[0]
    named = {f"{prefix}/{name}": value for name, value in got.items()}
    if prefix == case["name"]:
        return named
    for name, text in next(c for c in manifest["cases"] if c["name"] == prefix).get("slice", {}).items():
        full = named.get(name)
        if full is not None:
            named[name] = compare.sliced(full, text)
            named |= {name + s: compare.statistic(full, s, np.shape(full)[:0]) for s in (".mean", ".std")}
    return named
