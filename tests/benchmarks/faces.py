"""Find faces with each detector that is installed: what is found, what is seen where nothing is, and how long it takes.

python tests/benchmarks/faces.py [--clips carphone_pristine.mp4 franck.mp4] [--detectors cascade] [--markdown table.md]

Pictures are those that come with scikit-image, and what is made of them: its astronaut with a face of 448, 224, 112,
56, 28 and 14 pixels (sizes), turned by every multiple of 30 degrees (turns), and 3 and 7 of her in one picture, of 60
to 220 pixels (groups); the pack's two drawn samples and 12 drawn identities (drawn); 20 pictures without a face, of
one of which a cat's is shown (false). A face counts as found if a box's middle lies in the middle of the true box and
it is neither a quarter nor four times as large; all other boxes are false. Of clips, which show one face, 60 frames
are taken; the true box is the median of those that the detectors call most certain.

Milliseconds are the process's CPU time at 640 x 480 pixels. The last column is the smallest face of 400, 300, 200, 150,
100, 75 and 50 pixels that is found in a picture of 4000 x 3000.
"""

from __future__ import annotations

import argparse
import logging
import runpy
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data, transform

ROOT = Path(__file__).resolve().parent.parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.faces.detectors import installed_detectors, load_face_finder
from first_order_motion.animation.faces.face import Face, FaceFinder, left_to_right
from first_order_motion.core.errors import InputError
from first_order_motion.training.drawn.draw import draw
from first_order_motion.training.drawn.identity import Identity
from first_order_motion.training.drawn.landmarks import landmarks
from first_order_motion.training.drawn.pairs import TEST_SEEDS
from first_order_motion.training.drawn.pose import Pose

Picture = NDArray[np.uint8]

ASTRONAUT = Face(175, 63, 271, 177)  # by eye: brow to chin, ear to ear
SIZES = (448, 224, 112, 56, 28, 14)
SMALL = (400, 300, 200, 150, 100, 75, 50)
FACELESS = (
    "brick", "cat", "cell", "clock", "coffee", "coins", "colorwheel", "grass", "gravel", "horse", "hubble_deep_field",
    "immunohistochemistry", "logo", "microaneurysms", "moon", "page", "retina", "rocket", "shepp_logan_phantom", "text",
)  # fmt: skip
FRAMES = 60


@dataclass
class Scene:
    """Picture and the boxes of its faces."""

    picture: Picture
    faces: list[Face] = field(default_factory=list)


@dataclass
class Count:
    """Faces that are there, that were found, and boxes beside them."""

    there: int = 0
    found: int = 0
    false: int = 0

    def add(self, scene: Scene, boxes: Sequence[Face]) -> None:
        """Count one picture's."""
        hits = [face for face in scene.faces if any(is_hit(box, face) for box in boxes)]
        self.there, self.found = self.there + len(scene.faces), self.found + len(hits)
        self.false += sum(not any(is_hit(box, face) for face in scene.faces) for box in boxes)

    def __str__(self) -> str:
        parts = [f"{self.found}/{self.there}"] if self.there else []
        return ", ".join(parts + ([f"{self.false} false"] if self.false or not parts else []))


def is_hit(box: Face, face: Face) -> bool:
    """Tell whether a box is a face's."""
    shift = np.abs(np.subtract(box.centre, face.centre)) / (face.width, face.height)
    ratio = box.width * box.height / (face.width * face.height)
    return bool(shift.max() < 0.35 and 0.25 < ratio < 4)


def main() -> None:
    """Measure and print; write the table where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--detectors", nargs="*", default=installed_detectors())
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    finders = [finder for name in args.detectors if (finder := loaded(name, args.threshold))]
    columns = {"sizes": sizes(), "turns": turns(), "groups": groups(), "drawn": drawn(), "false": faceless()}
    rows = [[str(count(finder, scenes)) for scenes in columns.values()] for finder in finders]
    for clip in args.clips:
        for row, counted in zip(rows, count_clip(finders, list(frames(clip))), strict=True):
            row.append(str(counted))
    heads = ["detector", *columns, *(clip.stem for clip in args.clips), "ms", "least of 4000"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for finder, row in zip(finders, rows, strict=True):
        least = min((size for size in SMALL if count(finder, [in_large(size)]).found), default=None)
        lines.append("| " + " | ".join([finder.name, *row, f"{milliseconds(finder):.0f}", str(least)]) + " |")
    print("\n".join(lines))
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n")


def loaded(name: str, threshold: float | None) -> FaceFinder | None:
    """Load a detector; None if it does not work, which is printed."""
    try:
        return load_face_finder(name, threshold=threshold)
    except InputError as error:
        return print(error)


def count(finder: FaceFinder, scenes: Iterable[Scene]) -> Count:
    """Count what a detector finds in all pictures."""
    counted = Count()
    for scene in scenes:
        counted.add(scene, finder(scene.picture))
    return counted


def resized(picture: Picture, scale: float) -> Picture:
    """Resize a picture, filtered well."""
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def scaled(face: Face, scale: float, x: float = 0, y: float = 0) -> Face:
    """Face in a picture that was resized and pasted somewhere."""
    return Face(*(edge * scale + shift for edge, shift in zip(face.box, (x, y, x, y), strict=True)))


def sizes() -> list[Scene]:
    """Resize the astronaut."""
    scales = [size / ASTRONAUT.height for size in SIZES]
    return [Scene(resized(data.astronaut(), scale), [scaled(ASTRONAUT, scale)]) for scale in scales]


def turns() -> list[Scene]:
    """Turn the astronaut about her face."""
    x, y = ASTRONAUT.centre
    half = (ASTRONAUT.width + ASTRONAUT.height) / 4
    face = Face(x - half, y - half, x + half, y + half)
    pictures = [
        transform.rotate(data.astronaut(), angle, center=(x, y), mode="edge", preserve_range=True)
        for angle in range(0, 360, 30)
    ]
    return [Scene(picture.astype(np.uint8), [face]) for picture in pictures]


def groups() -> list[Scene]:
    """Put three and seven of her side by side."""
    return [group(640, 480, (160, 220, 120)), group(1280, 720, (60, 110, 200, 90, 150, 75, 180))]


def group(width: int, height: int, faces: Sequence[int]) -> Scene:
    """Put faces of so many pixels, left to right, on a backdrop of stone."""
    backdrop = Image.fromarray(np.stack([data.gravel()] * 3, -1)).resize((width, height))
    scene, step = Scene(np.array(backdrop)), width / len(faces)
    for number, size in enumerate(faces):
        paste(scene, size, round((number + 0.5) * step), round(height * (0.4 if number % 2 else 0.6)))
    return scene


def paste(scene: Scene, size: int, x: int, y: int) -> None:
    """Paste the astronaut's head, with a face of so many pixels round a place."""
    scale, (left, top) = size / ASTRONAUT.height, (135, 20)
    head = resized(data.astronaut()[top:210, left:310], scale)
    face = scaled(ASTRONAUT, scale, -left * scale, -top * scale)
    x0, y0 = round(x - face.centre[0]), round(y - face.centre[1])
    space = scene.picture[max(0, y0) :, max(0, x0) :]
    part = head[max(0, -y0) :, max(0, -x0) :][: space.shape[0], : space.shape[1]]
    space[: part.shape[0], : part.shape[1]] = part
    scene.faces = left_to_right([*scene.faces, scaled(face, 1, x0, y0)])


def in_large(size: int) -> Scene:
    """Put one face into a picture of 4000 x 3000 pixels."""
    scene = Scene(np.array(Image.fromarray(data.coffee()).resize((4000, 3000))))
    paste(scene, size, 1300, 1100)
    return scene


def drawn() -> list[Scene]:
    """Take the two samples, and draw faces."""
    sample = Face(29, 30, 99, 100)
    files = [ROOT / "workflows" / "samples" / f"{name}.png" for name in ("face", "fox")]
    scenes = [Scene(np.asarray(Image.open(file).convert("RGB")), [sample]) for file in files]
    generator = torch.Generator().manual_seed(TEST_SEEDS + 500)
    identity, pose = Identity.sample(12, generator), Pose.sample(12, generator)
    pictures = (draw(identity, pose, 256).permute(0, 2, 3, 1) * 255).byte().numpy()
    ends = ((landmarks(identity, pose).points[:, 1:3] + 1) * 128).numpy()  # crown and chin
    for picture, (crown, chin) in zip(pictures, ends, strict=True):
        (x, y), half = (crown + chin) / 2, float(np.linalg.norm(crown - chin)) / 2
        scenes.append(Scene(picture, [Face(x - half, y - half, x + half, y + half)]))
    return scenes


def faceless() -> list[Scene]:
    """Take pictures without a human face."""
    pictures = [np.asarray(getattr(data, name)()) for name in FACELESS]
    return [Scene((p * 255).astype(np.uint8) if p.dtype.kind in "fb" else p) for p in pictures]


def frames(file: Path) -> Iterable[Picture]:
    """Read frames of a clip, as far apart from one another as it allows."""
    with av.open(str(file)) as container:
        gap = max(1, container.streams.video[0].frames // FRAMES)
        for frame in islice(container.decode(video=0), 0, gap * FRAMES, gap):
            yield frame.to_ndarray(format="rgb24")


def count_clip(finders: Sequence[FaceFinder], pictures: Sequence[Picture]) -> list[Count]:
    """Count what each detector finds in the frames of a clip with one face."""
    counts = [Count() for _ in finders]
    for picture in pictures:
        found = [finder(picture) for finder in finders]
        best = [max(faces, key=lambda face: face.score).box for faces in found if faces]
        scene = Scene(picture, [Face(*np.median(best, 0).tolist())] if best else [])
        for counted, faces in zip(counts, found, strict=True):
            counted.add(scene, faces)
    return counts


def milliseconds(finder: FaceFinder) -> float:
    """Measure the CPU time of a picture with three faces; the median of five."""
    (scene, _), times = groups(), list[float]()
    for _ in range(5):
        start = time.process_time()
        finder(scene.picture)
        times.append((time.process_time() - start) * 1000)
    return float(np.median(times))


if __name__ == "__main__":
    main()
