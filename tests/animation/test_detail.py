"""Fine detail of the source at full resolution: where it comes, where it does not, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from first_order_motion.animation.detail import (
    DetailedSource,
    FineDetail,
    enlarged_flow,
    identity,
    in_register,
    sampled,
)
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions, Hooks, result_size
from first_order_motion.animation.pipeline import animate, animate_mapped, animate_several
from first_order_motion.animation.predictor import Predictor
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import FLOW, MASK, Mapped, Motion, Prepared
from support.architectures import CPU, SIDE, TINY, blobs, driven, one_thread, source_picture, tiny
from support.drivers import SAME, Around, clip_of
from torch import Tensor

FULL = 4 * SIDE
FRAMES = 3
with_flow = pytest.mark.parametrize("name", [name for name in TINY if tiny(name).spec.has_flow])
without_flow = pytest.mark.parametrize("name", ["fsrt", "toy"])


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def weave(side: int = FULL) -> Tensor:
    """(1, 3, side, side): blobs with a pattern much finer than a tiny model sees."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (0.7 * blobs(1, side, side).movedim(-1, 1) + 0.3 * ((x // 2 + y // 2) % 2)).contiguous()


def settings(strength: float = 1.0) -> FineDetail:
    return FineDetail(strength, FULL, SIDE, CPU)


def read(picture: Tensor) -> DetailedSource:
    return settings().read(picture.movedim(1, -1), "source")


def still(count: int = 1) -> Tensor:
    return identity(SIDE, torch.zeros(1)).expand(count, -1, -1, -1)


def shifted(pixels: float) -> Tensor:
    flow = still().clone()
    flow[:, 0] -= 2 * pixels / (SIDE - 1)
    return flow


# --- the picture ---


def test_no_motion_gives_the_source_back() -> None:
    source = read(weave())
    result = settings().add(Mapped(source.small, {FLOW: still()}), source)
    torch.testing.assert_close(result, source.full, rtol=0, atol=2e-3)


def test_detail_moves_with_the_flow() -> None:
    """A whole pixel of the small picture is four of the large one."""
    source = read(weave())
    painted = sampled(source.small, shifted(5))
    result = settings().add(Mapped(painted, {FLOW: shifted(5)}), source)
    inside = slice(40, -8)
    torch.testing.assert_close(result[..., inside], source.full.roll(20, -1)[..., inside], rtol=0, atol=0.02)


def test_a_flow_beside_the_painted_picture_is_brought_into_register() -> None:
    source = read(weave())
    painted = sampled(source.small, shifted(1.5))
    before = (sampled(source.small, still()) - painted).abs().mean()
    after = (sampled(source.small, in_register(still(), painted, source.small)) - painted).abs().mean()
    assert after < before / 3


def test_places_the_model_painted_anew_get_nothing() -> None:
    source = read(weave())
    painted = source.small.clone()
    painted[..., 20:44, 20:44] = 1 - painted[..., 20:44, 20:44].round()
    result = settings().add(Mapped(painted, {FLOW: still()}), source)
    plain = F.interpolate(painted, (FULL, FULL), mode="bicubic").clamp(0, 1)
    hidden, seen = (..., slice(108, 148), slice(108, 148)), (..., slice(0, 40), slice(0, 40))
    assert (result[hidden] - plain[hidden]).abs().mean() < 0.02 < (result[seen] - plain[seen]).abs().mean()


def test_outside_a_mask_the_picture_is_enlarged_and_nothing_more() -> None:
    source = read(weave())
    mapped = Mapped(source.small, {FLOW: still(), MASK: torch.zeros(1, 1, 16, 16)})
    plain = F.interpolate(source.small, (FULL, FULL), mode="bicubic").clamp(0, 1)
    assert torch.equal(settings().add(mapped, source), plain)


def test_strength_is_the_share_of_the_detail() -> None:
    source = read(0.25 + weave() / 2)
    mapped = Mapped(source.small, {FLOW: shifted(2)})
    none, half, whole = (settings(strength).add(mapped, source) for strength in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half, (none + whole) / 2, rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", [SIDE, SIDE + 2, 3 * SIDE, FULL])
def test_no_motion_stays_none_at_any_size(side: int) -> None:
    torch.testing.assert_close(enlarged_flow(still(), side)[0], identity(side, torch.zeros(1)), rtol=0, atol=1e-6)


def test_flows_are_enlarged_with_their_pictures() -> None:
    """Moving and then enlarging is enlarging and then moving."""
    smooth = blobs(1).movedim(-1, 1)
    flow = still() + 0.1 * torch.sin(3 * still().flip(1))
    first = F.interpolate(sampled(smooth, flow), (FULL, FULL), mode="bilinear")
    then = sampled(F.interpolate(smooth, (FULL, FULL), mode="bilinear"), enlarged_flow(flow, FULL))
    inside = (..., slice(16, -16), slice(16, -16))
    torch.testing.assert_close(first[inside], then[inside], rtol=0, atol=0.02)


# --- through the driver ---


def large(count: int = 1) -> Tensor:
    return blobs(count, FULL, FULL, start=2.6)


@with_flow
def test_results_have_the_sources_size(name: str) -> None:
    result = driven(tiny(name), large(), clip_of(FRAMES), AnimateOptions(detail=1))
    assert result.shape == (FRAMES, 3, FULL, FULL) and result.isfinite().all()
    assert result.min() >= 0 and result.max() <= 1


@with_flow
def test_without_detail_nothing_changes(name: str) -> None:
    plain = driven(tiny(name), large(), clip_of(FRAMES), AnimateOptions())
    assert plain.shape == (FRAMES, 3, SIDE, SIDE)
    assert torch.equal(driven(tiny(name), large(), clip_of(FRAMES), AnimateOptions(detail=0.0)), plain)


@with_flow
def test_batches_change_nothing(name: str) -> None:
    clip, options = clip_of(5), [AnimateOptions(detail=1, detail_size=2 * SIDE, batch=batch) for batch in (1, 2, 5)]
    wanted, *others = (driven(tiny(name), large(), clip, each) for each in options)
    for other in others:
        torch.testing.assert_close(other, wanted, rtol=0, atol=1e-4)


@without_flow
def test_models_without_a_flow_refuse_detail(name: str) -> None:
    with pytest.raises(InputError, match=r"has no flow.* Leave it at 0"):
        driven(tiny(name), large(), clip_of(1), AnimateOptions(detail=0.5))


def test_sizes() -> None:
    model = tiny("fomm")
    detail = AnimateOptions(detail=1)
    assert [result_size(model, side, detail) for side in (10, SIDE + 1, 101, 10_000)] == [SIDE, SIDE, 100, FULL]
    assert result_size(model, 10, AnimateOptions(detail=1, detail_size=150)) == 150
    for bad in (SIDE - 2, SIDE + 1, FULL + 2):
        with pytest.raises(InputError, match=f"is {bad}; an even number from {SIDE} to {FULL} was wanted"):
            result_size(model, 100, AnimateOptions(detail=1, detail_size=bad))
    with pytest.raises(InputError, match="without detail"):
        result_size(model, 100, AnimateOptions(detail_size=100))
    for bad in (-0.1, 1.5):
        with pytest.raises(InputError, match="0 to 1 was wanted"):
            result_size(model, 100, AnimateOptions(detail=bad))


def test_the_longer_side_of_a_source_that_is_not_square_counts() -> None:
    wide = blobs(1, 80, 150)
    assert driven(tiny("fomm"), wide, clip_of(1), AnimateOptions(detail=1)).shape[-1] == 150


def test_several_sources_of_one_clip() -> None:
    options = AnimateOptions(detail=1, detail_size=100)
    pairs = [(large(), options), (source_picture(), options)]
    both = torch.cat(list(animate_several(tiny("fomm"), pairs, TensorClip(clip_of(FRAMES)), CPU)))
    assert both.shape == (FRAMES, 2, 3, 100, 100)
    alone = driven(tiny("fomm"), large(), clip_of(FRAMES), options)
    torch.testing.assert_close(both[:, 0], alone, **SAME)


def test_a_source_that_moves_gives_each_frame_its_own_detail() -> None:
    source, clip = large(FRAMES), clip_of(FRAMES)
    options = AnimateOptions(detail=1, batch=2)
    got = torch.cat(list(animate(tiny("fomm"), TensorClip(source), TensorClip(clip), CPU, options)))
    assert got.shape == (FRAMES, 3, FULL, FULL)
    again = AnimateOptions(detail=1, batch=1)
    alone = [
        torch.cat(list(animate(tiny("fomm"), TensorClip(source), TensorClip(clip), CPU, again)))[i] for i in range(2)
    ]
    torch.testing.assert_close(got[:2], torch.stack(alone), rtol=0, atol=1e-4)
    still_source = driven(tiny("fomm"), source[:1], clip, options)
    torch.testing.assert_close(got[0], still_source[0], rtol=0, atol=1e-4)
    assert (got[2] - still_source[2]).abs().max() > 0.05


def test_maps_and_points_come_with_detailed_pictures() -> None:
    [part] = animate_mapped(tiny("fomm"), large(), TensorClip(clip_of(2)), CPU, AnimateOptions(detail=1))
    assert part.pictures.shape == (2, 3, FULL, FULL) and part.maps[FLOW].shape == (2, 2, SIDE, SIDE)
    assert {name: len(points) for name, points in part.points.items()} == {"source": 1, "driving": 2, "result": 2}


def test_predictor_and_best_frame() -> None:
    options = AnimateOptions(detail=1, detail_size=100)
    predictor = Predictor(tiny("fomm"), CPU)
    parts = predictor.animate(large(), clip_of(FRAMES), options, best_frame="model keypoints")
    assert torch.cat(list(parts)).shape == (FRAMES, 3, 100, 100)


def test_running_out_of_memory_for_detail_halves_the_batch() -> None:
    class Scarce(Around):
        def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
            if len(motion) > 2:
                raise torch.OutOfMemoryError("out of memory")
            return super().render_mapped(prepared, motion)

    limits: list[int] = []
    options = AnimateOptions(detail=1, detail_size=100, batch=4)
    got = driven(Scarce(tiny("fomm")), large(), clip_of(4), options, Hooks(memory_ran_out=limits.append))
    assert limits == [2]
    torch.testing.assert_close(got, driven(tiny("fomm"), large(), clip_of(4), options), rtol=0, atol=1e-4)
