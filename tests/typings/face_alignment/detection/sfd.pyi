from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class FaceDetector:
    def __init__(
        self, device: str, path_to_detector: str | None = ..., verbose: bool = ..., filter_threshold: float = ...
    ) -> None: ...
    def detect_from_image(self, tensor_or_path: NDArray[np.uint8]) -> Sequence[NDArray[np.floating]]: ...
