"""ONNX files, run by ONNX Runtime or OpenCV, whichever works here; neither is a requirement of the pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .installed import BrokenDetectorError, is_installed, reporting_damage

Floats = NDArray[np.float32]
Network = Callable[[Floats], list[Floats]]
RUNTIMES = ("onnxruntime", "cv2")


def missing_runtime() -> str | None:
    """Name the packages of which one is needed if none is there."""
    if any(is_installed(name) for name in RUNTIMES):
        return None
    return "one of the packages onnxruntime, opencv-python-headless, opencv-python"


def open_onnx(content: bytes, outputs: Sequence[str], sample: Sequence[int]) -> Network:
    """Load a network with one input; it is run once on zeros of the shape `sample`, so that faults show at once.

    Its results are the named outputs, in that order. Raises BrokenDetectorError where no runtime can run it.
    """
    openers = {"onnxruntime": _with_onnxruntime, "cv2": _with_opencv}
    faults: list[str] = []
    for name in filter(is_installed, RUNTIMES):
        try:
            return openers[name](content, outputs, np.zeros(sample, np.float32))
        except BrokenDetectorError as error:
            faults.append(str(error))
    raise BrokenDetectorError("; ".join(faults) or f"{missing_runtime()} is needed")


def read_model(file: Path) -> bytes:
    """Read a model's file; raises BrokenDetectorError if that cannot be done."""
    with reporting_damage(file.name):
        return file.read_bytes()


def _with_onnxruntime(content: bytes, outputs: Sequence[str], sample: Floats) -> Network:
    with reporting_damage("onnxruntime"):
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as faults

        kinds = (faults.Fail, faults.InvalidArgument, faults.InvalidGraph, faults.InvalidProtobuf)
        more = (faults.NotImplemented, faults.RuntimeException)
    with reporting_damage("onnxruntime", *kinds, *more):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # the files' harmless warnings run to hundreds of lines
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0].name

        def run(values: Floats) -> list[Floats]:
            return session.run(list(outputs), {entry: values})

        run(sample)
    return run


def _with_opencv(content: bytes, outputs: Sequence[str], sample: Floats) -> Network:
    with reporting_damage("cv2"):
        import cv2

        fault = cv2.error
    with reporting_damage("cv2", fault):

        @lru_cache(maxsize=1)
        def network_for(shape: tuple[int, ...]) -> cv2.dnn.Net:
            return cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))

        def run(values: Floats) -> list[Floats]:
            network = network_for(values.shape)  # OpenCV 4 is wrong about shapes other than a network's first
            network.setInput(values)
            return list(network.forward(list(outputs)))

        run(sample)
    return run
