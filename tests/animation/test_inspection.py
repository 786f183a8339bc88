"""Pictures of what a model saw, for every architecture, in batches, and written beside the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.detail import identity
from first_order_motion.animation.frames import FrameFormat, TensorClip
from first_order_motion.animation.inspection import Inspector, draw_flow, draw_inspection, draw_points, moved_pixels
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.animation.media.writer import VideoWriter
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate_mapped
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.video import animate_file
from first_order_motion.core.errors import InputError
from support.architectures import CPU, SIDE, blobs, every_architecture, one_thread, source_picture, tiny
from support.drivers import clip_of
from torch import Tensor

FRAMES = 3


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def sheets(name: str, batch: int, source: Tensor | TensorClip | None = None, detail: float = 0.0) -> Tensor:
    animator, clip = tiny(name), TensorClip(clip_of(FRAMES))
    source = source_picture() if source is None else source
    inspector = Inspector(source, clip, FrameFormat((SIDE, SIDE), CPU))
    options = AnimateOptions(batch=batch, detail=detail)
    return torch.cat([inspector.draw(part) for part in animate_mapped(animator, source, clip, CPU, options)])


@every_architecture
def test_every_model_has_an_inspection(name: str) -> None:
    drawn = sheets(name, batch=FRAMES)
    rows = 2 if tiny(name).spec.has_flow else 1
    assert drawn.shape == (FRAMES, rows * SIDE, 3 * SIDE, 3) and drawn.isfinite().all()
    assert drawn.min() >= 0 and drawn.max() <= 1
    torch.testing.assert_close(sheets(name, batch=1), drawn, rtol=0, atol=0.02)


def test_panels_are_source_driving_and_result() -> None:
    drawn = sheets("fomm", batch=2)
    pictures = (source_picture().expand(FRAMES, -1, -1, -1), clip_of(FRAMES))
    for column, wanted in enumerate(pictures):
        panel = drawn[:, :SIDE, column * SIDE : (column + 1) * SIDE]
        changed = (panel - wanted).abs().amax(dim=3) > 1e-3
        assert 0 < changed.float().mean() < 0.2  # by the points alone


def test_sources_that_move_are_shown_frame_by_frame() -> None:
    drawn = sheets("fomm", 2, TensorClip(blobs(FRAMES, start=2.6)))
    panel = drawn[:, :SIDE, :SIDE]
    assert (panel[0] - panel[2]).abs().max() > 0.1


def test_results_with_detail_are_shown_at_the_size_of_the_panels() -> None:
    assert sheets("fomm", 2, blobs(1, 100, 100), detail=1.0).shape == (FRAMES, 2 * SIDE, 3 * SIDE, 3)


def test_points_lie_where_they_are() -> None:
    grey = torch.full((1, 3, 65, 65), 0.5)
    points = torch.tensor([[[-0.5, 0.0], [1.0, 1.0], [3.0, 3.0]]])
    drawn = draw_points(grey, points)
    changed = (drawn - grey).abs().sum(dim=1)[0] > 0.01
    assert changed[32, 16] and changed[64, 64] and not changed[32, 48] and not changed[16, 32]
    middle = changed[28:37, 12:21].nonzero().float().mean(dim=0)
    torch.testing.assert_close(middle, torch.tensor([4.0, 4.0]))


def test_stillness_is_white_and_opposite_ways_differ() -> None:
    still = identity(32, torch.zeros(1))[None]
    assert draw_flow(still).min() > 0.99
    left, right = (still + shift * torch.tensor([1.0, 0.0]).view(2, 1, 1) for shift in (-0.4, 0.4))
    assert (draw_flow(left) - draw_flow(right)).abs().max() > 0.3


def test_flow_colours_do_not_depend_on_the_batch() -> None:
    still = identity(32, torch.zeros(1))[None]
    small, large = still + 0.05, still + 0.9
    torch.testing.assert_close(draw_flow(torch.cat([small, large]))[:1], draw_flow(small))


def test_moved_pixels() -> None:
    flow = identity(33, torch.zeros(1))[None].clone()
    flow[:, 0, :, 20:] += 2 * 1.5 / 32
    flow[:, 0, :, :5] += 2 * 0.5 / 32
    moved = moved_pixels(flow)
    assert moved[..., 20:].min() == 1 and moved[..., :20].max() == 0


def test_models_with_a_flow_but_no_occlusion_show_everything() -> None:
    clip = TensorClip(clip_of(1))
    [part] = animate_mapped(tiny("fomm_points_only"), source_picture(), clip, CPU)
    drawn = draw_inspection(part, source_picture().movedim(-1, 1), clip_of(1).movedim(-1, 1))
    assert drawn[:, SIDE:, SIDE : 2 * SIDE].min() == 1


def write_clip(path: Path) -> None:
    with VideoWriter(path, 25) as writer:
        writer.write(clip_of(5).movedim(-1, 1))


def test_inspection_is_written_beside_the_result(tmp_path: Path) -> None:
    driving, source = tmp_path / "driving.mp4", tmp_path / "source.mp4"
    write_clip(driving)
    write_clip(source)
    predictor = Predictor(tiny("fomm"), CPU)
    for given in (source, driving):
        animate_file(given, driving, tmp_path / "result.mp4", predictor, inspect=tmp_path / "seen.mp4")
        seen, result = open_clip(tmp_path / "seen.mp4"), open_clip(tmp_path / "result.mp4")
        assert len(seen) == len(result) == 5
        assert seen.frame(0).shape[1:3] == (2 * SIDE, 3 * SIDE)


def test_nothing_is_left_of_an_animation_that_fails(tmp_path: Path) -> None:
    driving = tmp_path / "driving.mp4"
    write_clip(driving)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    predictor = Predictor(tiny("fomm"), CPU)
    with pytest.raises(KeyboardInterrupt):
        animate_file(driving, driving, tmp_path / "r.mp4", predictor, inspect=tmp_path / "i.mp4", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["driving.mp4"]


def test_inspection_and_result_cannot_be_one_file(tmp_path: Path) -> None:
    driving = tmp_path / "driving.mp4"
    write_clip(driving)
    with pytest.raises(InputError):
        animate_file(driving, driving, tmp_path / "r.mp4", Predictor(tiny("fomm"), CPU), inspect=tmp_path / "r.mp4")
