from enum import Enum

import numpy as np
from numpy.typing import NDArray

class LandmarksType(Enum):
    TWO_D = 1

class FaceAlignment:
    def __init__(
        self, landmarks_type: LandmarksType, *, device: str = ..., flip_input: bool = ..., compile: bool = ...
    ) -> None: ...
    def get_landmarks_from_image(self, image_or_path: NDArray[np.uint8]) -> list[NDArray[np.float32]] | None: ...
