"""Measures of faces: how far landmarks and identity are from those of the true frames.

Both need what has to be installed or given; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...animation.faces.finders.detector import FACES_EXTRA
from ...animation.faces.finders.installed import BrokenDetectorError, is_installed, reporting_damage
from ...animation.media.picture import eight_bit_pictures
from ...core.errors import CheckpointError, InputError
from ...core.weights.build import load_strict
from ...core.weights.container import container_of
from ...core.weights.torch_file import read_torch_file
from .tally import Tally

FACE_SIDE = 160  # pixels that the network of identities sees
UNUSED_HEAD = "logits."  # of published weights: it names the people of their training set
Landmarks = Callable[[NDArray[np.uint8]], list[NDArray[np.floating] | None]]

AKD, MISSING, AED = "average keypoint distance", "missing rate", "identity distance"


class LandmarkJudge:
    """Judge of 68 facial landmarks, found by `find` in pictures uint8 (T, H, W, 3).

    The average keypoint distance (AKD) is the mean absolute difference of coordinates in pixels, as the published code
    takes it, over frames in which both faces are found; the missing rate is the part of true faces that are not found
    in the guess.
    """

    def __init__(self, find: Landmarks) -> None:
        self._find = find

    def __call__(self, tally: Tally, guesses: Mapping[str, Tensor], truth: Tensor) -> None:
        true = self._find(eight_bit_pictures(truth))
        for name, guess in guesses.items():
            found = self._find(eight_bit_pictures(guess))
            pairs = [(one, other) for one, other in zip(found, true, strict=True) if other is not None]
            tally.add(f"{MISSING} {name}", [float(one is None) for one, _ in pairs])
            distances = [float(np.abs(one - other).mean()) for one, other in pairs if one is not None]
            tally.add(f"{AKD} {name}", distances)


class IdentityJudge:
    """Judge of identity: the Euclidean distance (AED) of embeddings, unit vectors, of guess and truth.

    `network` takes pictures (T, 3, 160, 160), values from 0 to 255 less 127.5 and divided by 128.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def __call__(self, tally: Tally, guesses: Mapping[str, Tensor], truth: Tensor) -> None:
        true = self._embedded(truth)
        for name, guess in guesses.items():
            tally.add(f"{AED} {name}", (self._embedded(guess) - true).square().sum(1).sqrt())

    def _embedded(self, pictures: Tensor) -> Tensor:
        size = (FACE_SIDE, FACE_SIDE)
        fitted = F.interpolate(pictures.float(), size, mode="bilinear", align_corners=False, antialias=True)
        return cast(Tensor, self._network((fitted * 255 - 127.5) / 128))


def load_identity_judge(path: Path) -> IdentityJudge:
    """Load the weights of InceptionResnetV1 (`20180402-114759-vggface2.pt` of facenet-pytorch) from a file.

    Nothing in the file is executed. Raises InputError where that package is missing or broken, CheckpointError for
    another file.
    """
    if not is_installed("facenet_pytorch"):
        raise InputError(f"was given, which needs the package facenet-pytorch: {FACES_EXTRA}.", "identity")
    try:
        with reporting_damage("facenet-pytorch"):
            from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

            network = InceptionResnetV1(pretrained=None, classify=False)
    except BrokenDetectorError as error:
        raise InputError(f"was given, but {error}: {FACES_EXTRA}.", "identity") from error
    content = read_torch_file(path, container_of(path))
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds no state dict; weights of InceptionResnetV1 were wanted. Choose another.")
    state = cast("Mapping[str, Tensor]", content)
    used = {str(name): value for name, value in state.items() if not str(name).startswith(UNUSED_HEAD)}
    load_strict(network, used, f"InceptionResnetV1 of {path.name}")
    return IdentityJudge(network)
