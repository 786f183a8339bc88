"""Static int8 for exported graphs: convolutions by bytes, calibrated on the bundled sample.

The detector stays in float32, as it reads poses, and so do the layers that put flow, masks and colours out.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

from ..animation.samples import DRIVING, sample_pictures
from ..core.errors import InputError
from .onnx_animator import Arrays, OnnxAnimator
from .onnx_loading import MOTION, PREPARE, RENDER, Facts, open_graph, providers_for
from .onnx_media import Video, read_picture

HEADS = ("final", "mask", "occlusion", "blend", "maps")  # layers that stay in float32, by the last part of their names
QUANTIZED = (PREPARE, RENDER)
CALIBRATION_STEP, JUDGED_STEP, MOST_FRAMES = 8, 13, 12  # of the sample's frames
SAMPLE = "face"
CONV = "Conv"


@dataclass(frozen=True, slots=True)
class Sample:
    """Pictures of the bundled sample: a source, frames to calibrate by, and others to judge the result by."""

    source: NDArray[np.uint8]
    calibration: Sequence[NDArray[np.uint8]]
    judged: Sequence[NDArray[np.uint8]]

    @classmethod
    def read(cls) -> Sample:
        """Read them from the files that ship with the pack."""
        frames = [*Video(DRIVING)]
        calibration, judged = (
            [frames[0], *islice(frames, step, None, step)][:MOST_FRAMES] for step in (CALIBRATION_STEP, JUDGED_STEP)
        )
        return cls(read_picture(sample_pictures()[SAMPLE]), calibration, judged)


class RecordingAnimator(OnnxAnimator):
    """Animator that keeps what its graphs are given."""

    fed: dict[str, list[Arrays]]

    def run_graph(self, graph: str, values: Mapping[str, NDArray[Any]]) -> Arrays:
        """Run a graph, and keep the values that it takes."""
        names = [entry.name for entry in self.sessions[graph].get_inputs()]
        self.fed.setdefault(graph, []).append({name: values[name] for name in names})
        return super().run_graph(graph, values)


class _Reader(quantization.CalibrationDataReader):
    """Source of values for ONNX Runtime's quantizer, one batch after another."""

    def __init__(self, fed: Sequence[Arrays]) -> None:
        self._rest = iter(fed)

    def get_next(self) -> Arrays | None:
        return next(self._rest, None)


def opened(models: Mapping[str, onnx.ModelProto], metadata: Mapping[str, str]) -> RecordingAnimator:
    """Open graphs that are not in files yet."""
    providers = providers_for("cpu")
    sessions = {
        name: open_graph(model.SerializeToString(), Path(f"{name}.onnx"), providers) for name, model in models.items()
    }
    animator = RecordingAnimator(sessions, Facts.read(metadata, MOTION, Path(f"{MOTION}.onnx")))
    animator.fed = {}
    return animator


def to_int8(
    models: Mapping[str, onnx.ModelProto], metadata: Mapping[str, str], sample: Sample
) -> dict[str, onnx.ModelProto]:
    """Quantize the graphs that encode and draw, calibrated by animating the sample. Raises InputError."""
    animator = opened(models, metadata)
    for _ in animator.animate(sample.source, sample.calibration):
        pass
    return {
        name: _quantized(model, animator.fed[name], animator.name) if name in QUANTIZED else model
        for name, model in models.items()
    }


def psnr(a: OnnxAnimator, b: OnnxAnimator, sample: Sample) -> float:
    """Compute the peak signal-to-noise ratio, in dB, between two models' pictures of the sample."""
    error = [
        float(np.square(one - other).mean(dtype=np.float64))
        for one, other in zip(*(each.animate(sample.source, sample.judged) for each in (a, b)), strict=True)
    ]
    return float("inf") if not any(error) else float(-10 * np.log10(np.mean(error)))


def _quantized(model: onnx.ModelProto, fed: Sequence[Arrays], name: str) -> onnx.ModelProto:
    convolutions = [node for node in model.graph.node if node.op_type == CONV]
    heads = [node.name for node in convolutions if node.input[1].split(".")[-2] in HEADS]
    if len(heads) == len(convolutions):
        if not convolutions:
            raise InputError(f"is int8; {name} has no convolutions to quantize. Choose float16.", "precision")
        return model
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "graph.onnx"
        quantization.quantize_static(
            onnx.ModelProto.FromString(model.SerializeToString()),  # it moves the weights out of the one it is given
            path,
            _Reader(fed),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=[CONV],
            nodes_to_exclude=heads,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return onnx.ModelProto.FromString(path.read_bytes())


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep the quantizer's advice, which goes to the root logger, from the terminal."""
    before = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(before)
