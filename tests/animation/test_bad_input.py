"""Whatever comes in: finite pictures in [0, 1], one per frame, or one line that names the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.registry import load_animator
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import FirstOrderError
from first_order_motion.core.types import Animator, Clip, Motion, Prepared
from first_order_motion.module_fomm.animator import FOMMAnimator
from support.architectures import (
    CPU,
    FOMM,
    SIDE,
    TINY,
    as_bytes,
    blobs,
    driven,
    every_architecture,
    one_of_each_kind,
    one_thread,
    relative_architectures,
    source_picture,
    tiny,
)
from support.drivers import Around
from support.media_files import build_video
from torch import Tensor

SOURCE, DRIVING = "source", "driving"
OWN = AnimateOptions(batch=2)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def clip(count: int = 3, height: int = SIDE, width: int = SIDE) -> Tensor:
    return blobs(count, height, width)


@dataclass(frozen=True)
class Case:
    """Inputs, and what must come of them: pictures, or an error that contains every one of `says`."""

    source: Callable[[], Tensor] = source_picture
    driving: Callable[[], Tensor] = clip
    options: AnimateOptions = OWN
    says: tuple[str, ...] = ()


def each(both: Callable[[Tensor], Tensor], *says: str) -> dict[str, Case]:
    """A pair of cases: the source so changed, and the driving clip."""
    return {
        "source": Case(source=lambda: both(source_picture()), says=(SOURCE, *says) if says else ()),
        "driving": Case(driving=lambda: both(clip()), says=(DRIVING, *says) if says else ()),
    }


def with_value(pictures: Tensor, value: float, index: int = -1) -> Tensor:
    spoilt = pictures.clone()
    spoilt[index, 5, 7, 1] = value
    return spoilt


def sized(height: int, width: int) -> dict[str, Case]:
    shapes = {"source": Case(source=lambda: torch.rand(1, height, width, 3))}
    return shapes | {"driving": Case(driving=lambda: torch.rand(2, height, width, 3))}


def grey(pictures: Tensor) -> Tensor:
    return pictures.mean(-1, keepdim=True)


def mixed(pictures: Tensor, channels: int) -> Tensor:
    return torch.cat([pictures, torch.rand(*pictures.shape[:-1], 3)], dim=-1)[..., :channels]


def sixteen_bits(pictures: Tensor) -> Tensor:
    return (pictures * 65535).round().to(torch.int32).to(torch.uint16)


KINDS: dict[str, dict[str, Case]] = {
    # how many, how large
    "empty": each(lambda pictures: pictures[:0], "has 0"),
    "one_frame": {"driving": Case(driving=lambda: clip(1))},
    "one_pixel": sized(1, 1),
    "two_pixels": sized(1, 2),
    "odd_size": sized(257, 123),
    "very_wide": sized(16, 4000),
    "very_tall": sized(4000, 16),
    "8192_pixels_high": sized(8192, 64),
    "8192_pixels_wide": sized(64, 8192),
    "zero_height": each(lambda pictures: pictures[:, :0], "shape", "height"),
    "zero_width": each(lambda pictures: pictures[:, :, :0], "shape", "width"),
    "batched_source": {"source": Case(source=lambda: torch.cat([source_picture(), torch.rand(2, SIDE, SIDE, 3)]))},
    # axes and channels
    "no_batch_axis": each(lambda pictures: pictures[0]),
    "two_axes": each(lambda pictures: pictures[0, :, :, 0], "shape"),
    "five_axes": each(lambda pictures: pictures[None], "shape"),
    "channels_first": each(lambda pictures: pictures.movedim(-1, 1), "(", ", 3, 64, 64)"),
    "rgba": each(lambda pictures: mixed(pictures, 4)),
    "five_channels": each(lambda pictures: mixed(pictures, 5), "shape", "64, 64, 5)"),
    "no_channels": each(lambda pictures: pictures[..., :0], "shape"),
    "grey": each(grey),
    "grey_alpha": each(lambda pictures: mixed(grey(pictures), 2)),
    "not_contiguous": each(lambda pictures: pictures.transpose(1, 2)),
    "channels_last_view": each(lambda pictures: pictures.movedim(-1, 1).contiguous().movedim(1, -1)),
    "every_other_pixel": each(lambda pictures: pictures[:, ::2, ::2]),
    "mirrored_and_expanded": each(lambda pictures: pictures[:1, :, :1].expand(2, -1, SIDE, -1)),
    # kinds of number
    "uint8": each(as_bytes),
    "uint16": each(sixteen_bits),
    "float16": each(lambda pictures: pictures.half()),
    "bfloat16": each(lambda pictures: pictures.bfloat16()),
    "float64": each(lambda pictures: pictures.double()),
    "int32": each(lambda pictures: as_bytes(pictures).int(), "int32"),
    "int64": each(lambda pictures: as_bytes(pictures).long(), "int64"),
    "bool": each(lambda pictures: pictures > 0.5, "bool"),
    "complex": each(lambda pictures: pictures.to(torch.complex64), "complex64"),
    "requires_grad": each(lambda pictures: pictures.clone().requires_grad_()),
    # values
    "nan": each(lambda pictures: with_value(pictures, torch.nan), "NaN"),
    "infinity": each(lambda pictures: with_value(pictures, torch.inf), "NaN or infinite"),
    "minus_infinity": each(lambda pictures: with_value(pictures, -torch.inf), "NaN or infinite"),
    "nan_in_float16": each(lambda pictures: with_value(pictures, torch.nan).half(), "NaN"),
    "above_one": each(lambda pictures: pictures * 7),
    "below_zero": each(lambda pictures: pictures * 2 - 1),
    "0_to_255_in_floats": each(lambda pictures: pictures * 255),
    "huge": each(lambda pictures: pictures * 3e38),
    # options
    "size_not_a_multiple": {"options": Case(options=replace(OWN, size=SIDE + 1), says=("size", "65", "multiple"))},
    "size_0": {"options": Case(options=replace(OWN, size=0), says=("size", "is 0", "multiple"))},
    "size_negative": {"options": Case(options=replace(OWN, size=-SIDE), says=("size", "-64"))},
    "size_tiny": {"options": Case(options=replace(OWN, size=1), says=("size", "multiple"))},
    "anchor_past_the_end": {"options": Case(options=replace(OWN, anchor=3), says=("anchor", "0 to 2"))},
    "anchor_negative": {"options": Case(options=replace(OWN, anchor=-1), says=("anchor", "-1"))},
    "max_pixels_0": {"options": Case(options=replace(OWN, max_pixels=0), says=("max_pixels", "0"))},
    "batch_0": {"options": Case(options=replace(OWN, batch=0), says=("batch", "0"))},
    "batch_negative": {"options": Case(options=replace(OWN, batch=-4), says=("batch", "-4"))},
    "unknown_mode": {
        "options": Case(options=replace(OWN, retargeting=Retargeting("warp")), says=("'warp'", "standard"))
    },
}
# Sound pictures that leave a network little to tell poses by.
DULL: dict[str, dict[str, Case]] = {
    "black": each(torch.zeros_like),
    "white": each(torch.ones_like),
    "identical_frames": {"driving": Case(driving=lambda: clip(1).expand(4, -1, -1, -1))},
    "driving_is_the_source": {"driving": Case(driving=source_picture)},
}


def every_case(kinds: dict[str, dict[str, Case]]) -> pytest.MarkDecorator:
    cases = {f"{kind}-{where}": case for kind, cases in kinds.items() for where, case in cases.items()}
    return pytest.mark.parametrize("case", cases.values(), ids=cases)


def assert_pictures(frames: Tensor, count: int, side: int = SIDE) -> None:
    assert frames.shape == (count, 3, side, side)
    assert frames.dtype == torch.float32
    assert frames.isfinite().all()
    assert frames.min() >= 0
    assert frames.max() <= 1


def complaint(error: FirstOrderError) -> str:
    """The message, which is one line and ends like a sentence."""
    text = str(error)
    assert "\n" not in text
    assert text.endswith((".", "?"))
    return text


def check(name: str, case: Case) -> None:
    driving = case.driving()
    if not case.says:
        count = len(driving) if driving.ndim == 4 else 1
        assert_pictures(driven(tiny(name), case.source(), driving, case.options), count)
        return
    with pytest.raises(FirstOrderError) as caught:
        driven(tiny(name), case.source(), driving, case.options)
    text = complaint(caught.value)
    assert all(part in text for part in case.says), text


@one_of_each_kind
@every_case(KINDS)
def test_pictures_or_one_clear_line(name: str, case: Case) -> None:
    check(name, case)


@every_architecture
@every_case(DULL)
def test_dull_pictures_give_pictures(name: str, case: Case) -> None:
    check(name, case)


def test_there_are_thirty_kinds_and_more() -> None:
    assert len(KINDS) >= 30


def test_a_large_square_of_bytes() -> None:
    """8192x8192 in both places, shrunk frame by frame."""
    large = torch.zeros(1, 8192, 8192, 3, dtype=torch.uint8)
    assert_pictures(driven(tiny("fomm"), large, large, OWN), 1)


@every_architecture
@pytest.mark.parametrize("antialias", [True, False])
def test_a_larger_size_is_worked_at_or_refused(name: str, antialias: bool) -> None:
    options = replace(OWN, size=2 * SIDE, antialias=antialias)
    if tiny(name).spec.fixed_size:
        with pytest.raises(FirstOrderError, match=f"size is {2 * SIDE}.*only at {SIDE}") as caught:
            driven(tiny(name), source_picture(), clip(2, 200, 90), options)
        complaint(caught.value)
    else:
        assert_pictures(driven(tiny(name), source_picture(), clip(2, 200, 90), options), 2, 2 * SIDE)


def test_a_batched_source_gives_the_first_pictures_animation() -> None:
    batch, model = torch.cat([source_picture(), torch.rand(2, SIDE, SIDE, 3)]), tiny("fomm")
    assert torch.equal(driven(model, batch, clip(), OWN), driven(model, source_picture(), clip(), OWN))


@one_of_each_kind
def test_a_source_without_batch_axis_is_the_same_picture(name: str) -> None:
    wanted = driven(tiny(name), source_picture(), clip(), OWN)
    assert torch.equal(driven(tiny(name), source_picture()[0], clip(), OWN), wanted)


@one_of_each_kind
def test_alpha_lets_white_through(name: str) -> None:
    opaque, half = (torch.full((*clip().shape[:3], 1), share) for share in (1.0, 0.5))
    wanted = driven(tiny(name), source_picture(), clip(), OWN)
    assert torch.equal(driven(tiny(name), source_picture(), torch.cat((clip(), opaque), -1), OWN), wanted)
    paler = driven(tiny(name), source_picture(), 1 - (1 - clip()) / 2, OWN)
    found = driven(tiny(name), source_picture(), torch.cat((clip(), half), -1), OWN)
    assert (found - paler).abs().max() < 1e-3


@one_of_each_kind
def test_nan_in_a_late_frame_is_named_when_it_comes(name: str) -> None:
    frames = animate(tiny(name), source_picture(), TensorClip(with_value(clip(5), torch.nan, 4)), CPU, OWN)
    done = 0
    with pytest.raises(FirstOrderError, match=f"{DRIVING}.*NaN.*picture 0 of the batch") as caught:
        for part in frames:
            done += len(part)
    assert done == 4
    complaint(caught.value)


# --- motions that leave nothing to work with ---


class Bent(Around):
    """An animator whose poses are changed before anybody sees them."""

    def __init__(self, animator: Animator, bend: Callable[[Motion], Motion]) -> None:
        super().__init__(animator)
        self.bend = bend

    def prepare(self, source: Tensor) -> Prepared:
        prepared = super().prepare(source)
        return Prepared(self.bend(prepared.motion), prepared.features)

    def motion(self, driving: Tensor) -> Motion:
        return self.bend(super().motion(driving))


def with_points(change: Callable[[Tensor], Tensor]) -> Callable[[Motion], Motion]:
    return lambda motion: replace(motion, points=change(motion.points))


def with_jacobians(jacobian: Tensor) -> Callable[[Motion], Motion]:
    def bend(motion: Motion) -> Motion:
        assert motion.jacobians is not None
        return replace(motion, jacobians=jacobian.expand_as(motion.jacobians))

    return bend


FLAT_POINTS = {
    "identical_points": torch.zeros_like,
    "points_on_a_line": lambda points: torch.linspace(-1, 1, points.shape[1])[:, None].expand_as(points),
}
JACOBIANS = {
    "zero": torch.zeros(2, 2),
    "rank_one": torch.ones(2, 2),
    "nearly_singular": torch.tensor([[1.0, 1.0], [1.0, 1.0 + 1e-7]]),
    "tiny": 1e-20 * torch.eye(2),
    "huge": 1e18 * torch.eye(2),
}


@relative_architectures
@pytest.mark.parametrize("change", FLAT_POINTS.values(), ids=FLAT_POINTS)
def test_a_flat_hull_gives_scale_1_and_a_warning(
    name: str, change: Callable[[Tensor], Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    animator = Bent(tiny(name), with_points(change))
    frames = driven(animator, source_picture(), clip(), OWN)
    assert_pictures(frames, 3)
    assert ["lie on one line" in record.getMessage() for record in caplog.records] == [True]
    unscaled = replace(OWN, retargeting=Retargeting(adapt_scale=False))
    assert torch.equal(frames, driven(animator, source_picture(), clip(), unscaled))


def has_jacobians(name: str) -> bool:
    return tiny(name).prepare(source_picture().movedim(-1, 1)).motion.jacobians is not None


@pytest.mark.parametrize("name", [name for name in TINY if has_jacobians(name)])
@pytest.mark.parametrize("mode", [None, "standard"])
@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_collapsed_jacobians(name: str, mode: str | None, jacobian: Tensor) -> None:
    options = replace(OWN, retargeting=Retargeting(mode))
    assert_pictures(driven(Bent(tiny(name), with_jacobians(jacobian)), source_picture(), clip(), options), 3)


@every_architecture
@pytest.mark.parametrize("place", [-1e6, 1e6])
def test_points_far_outside(name: str, place: float) -> None:
    far = with_points(lambda points: torch.full_like(points, place))
    assert_pictures(driven(Bent(tiny(name), far), source_picture(), clip(), OWN), 3)


# --- files ---


def text_file(path: Path) -> Path:
    path.write_text("Not what its name says.\n", "utf-8")
    return path


def another_architecture(path: Path) -> Path:
    states = {"region_predictor": {"regions.weight": torch.ones(1)}}
    torch.save({"generator": {"pixelwise_flow_predictor.mask.weight": torch.ones(1)}, **states}, path)
    return path


def cut_short(path: Path) -> Path:
    animator = FOMMAnimator(FOMM)
    torch.save({key: animator.get_submodule(key).state_dict() for key in ("generator", "kp_detector")}, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def empty_file(path: Path) -> Path:
    path.write_bytes(b"")
    return path


WEIGHTS = {"text": text_file, "another_architecture": another_architecture, "cut_short": cut_short, "empty": empty_file}


@pytest.mark.parametrize("make", [*WEIGHTS.values(), lambda path: path], ids=[*WEIGHTS, "missing"])
def test_a_wrong_weight_file_is_named(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "vox-cpk.pth.tar")
    with pytest.raises(FirstOrderError, match=r"vox-cpk\.pth\.tar") as caught:
        load_animator(path, "fomm")
    complaint(caught.value)


def cut_video(path: Path) -> Path:
    build_video(path, 4)
    path.write_bytes(path.read_bytes()[:300])
    return path


FILES = {"text": text_file, "empty": empty_file, "missing": lambda path: path}


@pytest.mark.parametrize("make", [*FILES.values(), cut_video], ids=[*FILES, "cut_short"])
def test_an_unreadable_video_is_named(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(FirstOrderError, match=r"clip\.mp4") as caught:
        VideoClip(make(tmp_path / "clip.mp4"))
    complaint(caught.value)


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_an_unreadable_picture_is_named(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(FirstOrderError, match=r"face\.png") as caught:
        read_picture(make(tmp_path / "face.png"))
    complaint(caught.value)


@every_architecture
def test_a_video_without_sound_animates(tmp_path: Path, name: str) -> None:
    build_video(tmp_path / "clip.mp4", 3)
    video: Clip = VideoClip(tmp_path / "clip.mp4")
    assert_pictures(driven(tiny(name), source_picture(), video, OWN), 3)
