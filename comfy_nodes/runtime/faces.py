"""Work of the nodes that cut faces out of pictures or clips and paste them back."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.model_management as management
import torch
from torch import Tensor

from ...animation.faces.clips import FaceClip, find_faces, follow_faces
from ...animation.faces.detectors import load_face_finder
from ...animation.faces.face import Face, faces_from_mask, faces_from_text
from ...animation.faces.paste import Paster
from ...animation.faces.preview import numbered
from ...animation.faces.square import Square
from ...animation.faces.squares import ClipPaster, FaceSquares
from ...animation.frames import TensorClip, check_images, without_alpha
from ...animation.framing import FaceOptions, FinderOnDemand, place_paths, place_squares
from ...core.errors import InputError
from . import progress


def crop(
    images: Tensor, boxes: str, mask: Tensor | None, detector: str, options: FaceOptions, rate: float, size: int
) -> tuple[list[Tensor], FaceSquares, Tensor, Tensor]:
    """Cut the faces out of a picture or of a clip (N, H, W, C).

    Returns for each face the cut pictures (N, size, size, 3), then the squares, how much of each pixel of the first
    picture they cover (1, H, W), and the first picture with numbered squares (1, H, W, 3). Raises InputError where
    there is no face.
    """
    images = without_alpha(check_images(images, "image"))
    if len(images) == 0:
        raise InputError("has 0 pictures; at least 1 is needed. Check the loader.", "image")
    given = faces_from_text(boxes) if boxes.strip() else None if mask is None else faces_of_mask(mask)
    squares = _squares(images, given, detector, options, rate)
    crops = [_cut(images, one, size) for one in squares.faces]
    first = squares.of_picture(0)
    covered = Paster(first, squares.size).mask()[None]
    return crops, squares, covered, numbered(images[0], first)[None]


def faces_of_mask(mask: Tensor) -> list[Face]:
    """Read the boxes around the parts of the first mask of (N, H, W) or (H, W)."""
    return faces_from_mask((mask[0] if mask.ndim == 3 else mask).float().cpu().numpy())


def _squares(
    images: Tensor, given: Sequence[Face] | None, detector: str, options: FaceOptions, rate: float
) -> FaceSquares:
    finder = FinderOnDemand(lambda: load_face_finder(detector))
    size = (images.shape[1], images.shape[2])
    if len(images) == 1 or given is not None:
        faces = find_faces(images, finder) if given is None else given
        found = FaceSquares.still(place_squares(faces, options), size)
    else:
        tracks = follow_faces(TensorClip(images), finder, rate, progress.hooks().check_cancelled)
        found = place_paths(tracks, len(images), rate, size, options)
    if len(found) == 0:
        raise InputError(
            f"shows no face that {finder.name} finds. Give boxes or a mask, or choose another detector.", "image"
        )
    return found


def _cut(images: Tensor, squares: Sequence[Square], size: int) -> Tensor:
    parts = FaceClip(TensorClip(images), squares, size).chunks(8)
    return torch.cat([part.expand(-1, -1, -1, 3) for part in parts]).to(management.intermediate_device())


def paste(
    images: Tensor, crops: Sequence[Tensor], squares: FaceSquares, feather: float, match_colour: bool
) -> tuple[Tensor, Tensor]:
    """Paste animated faces, (M, s, s, 3) each, into a picture or a clip (N, H, W, C).

    Returns (M, H, W, 3), for the longest of the crops, and how much of each pixel is pasted (1, H, W). Shorter
    crops and clips hold their last picture. Raises InputError where crops are not as many as squares, and for a
    picture of another size than that which they were cut from.
    """
    images = without_alpha(check_images(images, "image"))
    if (images.shape[1], images.shape[2]) != squares.size:
        raise InputError(
            f"is {images.shape[2]} x {images.shape[1]}, but the faces were cut out of {squares.size[1]} x "
            f"{squares.size[0]}. Wire the same picture to both nodes.",
            "image",
        )
    if len(crops) != len(squares.faces):
        raise InputError(
            f"holds {len(crops)} clips for {len(squares.faces)} faces. Wire Crop Faces to one runner, and that here.",
            "crops",
        )
    whole = images.movedim(-1, 1).expand(-1, 3, -1, -1)
    count = max(len(one) for one in crops)
    result = torch.empty((count, *squares.size, 3), device=management.intermediate_device())
    bar, hooks = progress.Progress(count), progress.hooks()
    paster = ClipPaster(squares, feather, match_colour)
    for number in range(count):
        hooks.check_cancelled()
        faces = [one[min(number, len(one) - 1)].movedim(-1, 0) for one in crops]
        pasted = paster.paste(number, whole[min(number, len(whole) - 1)].float(), faces)
        result[number].copy_(pasted.movedim(0, -1))
        bar.update(number + 1, result[number : number + 1])
    return result, paster.mask()[None]
