"""Sample pictures and the driving clip that ship with the pack: drawn, and never seen in training."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from ..animation.media.writer import VideoWriter
from .drawn import Identity, Pose, draw
from .drawn.canvas import Canvas
from .drawn.draw import paint
from .drawn.pairs import TEST_SEEDS
from .drawn.scene import draw_scene
from .preview import save_picture

SAMPLE_SEEDS = TEST_SEEDS + 2**30  # apart from the clips that evaluation uses
FPS = 24


def sample_identity(number: int) -> Identity:
    """Draw the identity of a number, one entry."""
    return Identity.sample(1, torch.Generator().manual_seed(SAMPLE_SEEDS + number))


def resting(count: int) -> Pose:
    """Poses (count) of a head in the middle that faces us, eyes open and mouth closed."""
    zero, one = torch.zeros(count), torch.ones(count)
    return Pose(
        x=zero, y=zero + 0.05, scale=one, tilt=zero, yaw=zero, pitch=zero, mouth=zero, smile=zero + 0.4,
        left=one * 0.9, right=one * 0.9, gaze_x=zero, gaze_y=zero, brow=zero,
    )  # fmt: skip


def from_rest(pose: Pose, frames: int = FPS // 2) -> Pose:
    """Ease a motion out of the resting pose over its first frames."""
    count = len(pose.x)
    ease = (torch.arange(count) / frames).clamp(max=1)
    ease = ease * ease * (3 - 2 * ease)
    rest = vars(resting(count))
    return Pose(**{name: rest[name] + ease * (value - rest[name]) for name, value in vars(pose).items()})


def sample_clip(number: int, seconds: float, size: int) -> Tensor:
    """Draw a clip (T, 3, size, size): the identity of a number moving, from rest."""
    generator = torch.Generator().manual_seed(SAMPLE_SEEDS + number + 2**16)
    pose = from_rest(Pose.walk(1, round(seconds * FPS), generator))
    return draw(sample_identity(number).repeat(len(pose.x)), pose, size)


@dataclass(frozen=True)
class Person:
    """Person in a scene: the number of the identity, and the square, in pixels, that it is drawn in."""

    number: int
    left: int
    top: int
    side: int

    @property
    def rows(self) -> slice:
        """Rows of the square."""
        return slice(self.top, self.top + self.side)

    @property
    def columns(self) -> slice:
        """Columns of the square."""
        return slice(self.left, self.left + self.side)


def draw_people(people: Sequence[Person], size: tuple[int, int], backdrop: int) -> Tensor:
    """Draw a scene (3, height, width) of people at rest, those in front last, before the backdrop of an identity."""
    height, width = size
    behind = sample_identity(backdrop)
    canvas = Canvas(behind.style, max(size))
    draw_scene(canvas, behind)
    scene = canvas.pixels[0, :, :height, :width].clone()
    for person in people:
        painting = paint(sample_identity(person.number), resting(1), person.side)
        seen = painting.parts[0].sum(dim=0).clamp(0, 1)
        place = scene[:, person.rows, person.columns]
        kept = (slice(None), slice(0, place.shape[1]), slice(0, place.shape[2]))
        place.lerp_(painting.pictures[0][kept], seen[kept[1:]])
    return scene


PORTRAIT = (Person(24, 0, 840, 1080),)
GROUP = (Person(29, 10, 230, 490), Person(37, 780, 230, 490), Person(26, 350, 120, 600))
DUET = (Person(10, 0, 0, 192), Person(33, 192, 0, 192))


def face_box(person: Person) -> list[int]:
    """Give the box of a person's face at rest, from the brow to the chin: left, top, right, bottom in pixels."""
    edges = (0.26, 0.3, 0.74, 0.78)  # of the square
    left, top, right, bottom = (round(edge * person.side) for edge in edges)
    return [person.left + left, person.top + top, person.left + right, person.top + bottom]


def write_scene(path: Path, people: Sequence[Person], size: tuple[int, int], backdrop: int) -> None:
    """Write a drawn scene as PNG, and the boxes of the faces, from left to right, in a JSON file beside it."""
    save_picture(path, draw_people(people, size, backdrop))
    write_boxes(path, people)


def write_boxes(path: Path, people: Sequence[Person]) -> None:
    """Write the boxes of people's faces, from left to right, beside a picture or video of the same stem."""
    boxes = sorted(face_box(person) for person in people)
    path.with_suffix(".json").write_text(json.dumps(boxes) + "\n", "utf-8")


def write_scenes(folder: Path, seconds: float = 4.0) -> None:
    """Write a portrait as phones take it, a group of three, and a video of two people side by side."""
    write_scene(folder / "portrait.png", PORTRAIT, (1920, 1080), 17)
    write_scene(folder / "group.png", GROUP, (720, 1280), 28)
    side = DUET[0].side
    with VideoWriter(folder / "duet.mp4", FPS, crf=16) as writer:
        writer.write(torch.cat([sample_clip(person.number, seconds, side) for person in DUET], dim=3))
    write_boxes(folder / "duet.mp4", DUET)


def write_samples(folder: Path, sources: dict[str, int], driving: int, size: int, seconds: float = 4.0) -> None:
    """Write `NAME.png` for every source, its number given by name, and `driving.mp4`, with a little tune."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, number in sources.items():
        save_picture(folder / f"{name}.png", draw(sample_identity(number), resting(1), size)[0])
    with TemporaryDirectory() as scratch:
        sound = Path(scratch) / "tune.wav"
        write_tune(sound, seconds)
        with VideoWriter(folder / "driving.mp4", FPS, audio_from=sound, crf=12) as writer:
            writer.write(sample_clip(driving, seconds, size))


def write_tune(path: Path, seconds: float, rate: int = 44100) -> None:
    """Write a wav file of plucked notes, four to the second, up and down a pentatonic scale."""
    time = torch.arange(round(seconds * rate)) / rate
    steps = torch.tensor([0, 4, 7, 9, 12, 9, 7, 4])[(time * 4).long() % 8]
    pitch = 261.63 * 2 ** (steps / 12)  # Hz, from middle C
    sound = torch.sin(2 * torch.pi * pitch * time) * torch.exp(-6 * (time * 4 % 1)) * 0.4
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound * 32767).to(torch.int16).numpy().tobytes())
