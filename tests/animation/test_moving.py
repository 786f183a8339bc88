"""Sources that move: every frame animated as if it were a picture of its own, and lengths made to match."""

from __future__ import annotations

import pytest
import torch
from first_order_motion.animation.moving import BACKWARD_BLOCK, MovingSource, OrderedClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.architectures import (
    CPU,
    TINY,
    blobs,
    driven,
    every_architecture,
    one_of_each_kind,
    one_thread,
    relative_architectures,
    source_picture,
    tiny,
)
from support.drivers import FRAMES, SAME, Streamed, clip_of
from support.optimized import published_form
from torch import Tensor

STANDARD = AnimateOptions(Retargeting("standard"))
REPLACE = MovingSource("replace")


def moving() -> Tensor:
    return blobs(FRAMES, start=2.6)


def animated(name: str, source: Tensor, driving: Tensor, options: AnimateOptions) -> Tensor:
    with one_thread():
        return torch.cat([*Predictor(published_form(name), CPU).animate(Streamed(source), driving, options)])


@every_architecture
def test_every_frame_is_as_if_it_were_a_picture(name: str) -> None:
    source, driving = moving(), clip_of()
    found = animated(name, source, driving, STANDARD)
    for number in (0, 3, FRAMES - 1):
        alone = driven(published_form(name), source[number][None], driving[number][None], STANDARD)
        torch.testing.assert_close(found[number][None], alone, **SAME)


@relative_architectures
def test_movement_is_added_to_each_frames_own_pose(name: str) -> None:
    source, driving, options = moving(), clip_of(), AnimateOptions(Retargeting("relative", adapt_scale=False))
    found = animated(name, source, driving, options)
    for number in (1, FRAMES - 1):
        pair = torch.stack([driving[0], driving[number]])
        alone = driven(published_form(name), source[number][None], pair, options)[1:]
        torch.testing.assert_close(found[number][None], alone, **SAME)


@relative_architectures
def test_a_clip_that_drives_itself_comes_back_as_the_model_draws_it(name: str) -> None:
    source = moving()
    itself = animated(name, source, source, STANDARD)
    replaced = animated(name, source, source, AnimateOptions(moving=REPLACE))
    torch.testing.assert_close(replaced, itself, rtol=0, atol=2e-3)  # J_t J_0^-1 J_0 is J_t but for rounding
    added = animated(name, source, source, AnimateOptions())
    assert (added - itself).abs().max() > 0.01  # its own movement twice


@pytest.mark.parametrize("name", [name for name in TINY if "avd" in tiny(name).spec.modes])
def test_the_models_own_retargeting_knows_each_frame(name: str) -> None:
    options = AnimateOptions(Retargeting("avd"))
    found = animated(name, moving(), clip_of(), options)
    alone = driven(published_form(name), moving()[4][None], clip_of()[4][None], options)
    torch.testing.assert_close(found[4][None], alone, **SAME)


@one_of_each_kind
def test_batches_change_nothing(name: str) -> None:
    options = [AnimateOptions(batch=batch) for batch in (1, 4, 32)]
    first, *others = [animated(name, moving(), clip_of(), one) for one in options]
    for other in others:
        torch.testing.assert_close(other, first, **SAME)


@pytest.mark.parametrize("ends", ["hold", "cycle", "mirror", "cut"])
def test_a_shorter_source_goes_on_as_wished(ends: str) -> None:
    short, options = moving()[:4], AnimateOptions(Retargeting("standard"), moving=MovingSource(ends=ends))
    found = animated("fomm", short, clip_of(), options)
    order = {"hold": [0, 1, 2, 3, 3, 3], "cycle": [0, 1, 2, 3, 0, 1], "mirror": [0, 1, 2, 3, 2, 1], "cut": [0, 1, 2, 3]}
    wanted = animated("fomm", short[order[ends]], clip_of()[: len(order[ends])], STANDARD)
    torch.testing.assert_close(found[: len(wanted)], wanted, **SAME)
    assert len(found) == options.moving.frames_with(4, FRAMES)
    assert len(found) == (4 if ends == "cut" else FRAMES)


def test_a_source_of_half_the_rate_shows_each_frame_twice() -> None:
    assert MovingSource(speed=0.5).order_of(10, 8) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert MovingSource(speed=25 / 24).order_of(100, 25) == [*range(24), 25]


def test_several_sources_with_detail_get_one_side() -> None:
    predictor, options = Predictor(published_form("fomm"), CPU), AnimateOptions(detail=1.0)
    sources = [source_picture(), blobs(1, height=96, width=40)]
    with one_thread():
        result = torch.cat([*predictor.animate_several(sources, clip_of(2), options)])
    assert result.shape[:2] == (2, 2) and result.shape[-1] == 96
    with pytest.raises(InputError, match=r"has 0 pictures"):
        [*predictor.animate_several([], clip_of(2), AnimateOptions())]


def test_a_longer_source_is_left_unfinished() -> None:
    found = animated("fomm", moving(), clip_of()[:3], STANDARD)
    torch.testing.assert_close(found, animated("fomm", moving()[:3], clip_of()[:3], STANDARD), **SAME)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2 * BACKWARD_BLOCK), min_size=1, max_size=150), st.integers(1, 9))
def test_any_order_of_frames(order: list[int], size: int) -> None:
    frames = torch.arange(2 * BACKWARD_BLOCK + 1, dtype=torch.uint8)[:, None, None, None]
    chunks = [*OrderedClip(Streamed(frames), order).chunks(size)]
    assert torch.cat(chunks).flatten().tolist() == order
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}


def test_backward_blocks_bound_what_is_read() -> None:
    clip, count = Streamed(torch.zeros(5 * BACKWARD_BLOCK, 1, 1, 3)), 5 * BACKWARD_BLOCK
    for _ in OrderedClip(clip, MovingSource(ends="mirror").order_of(count, 2 * count - 1)).chunks(8):
        pass
    assert clip.given <= count + 5 * (count + 8)  # from the start for each block, as this clip cannot seek


def test_sources_without_frames_and_other_words_are_refused() -> None:
    with pytest.raises(InputError, match=r"has 0 frames"):
        [*Predictor(published_form("fomm"), CPU).animate(Streamed(moving()[:0]), clip_of())]
    with pytest.raises(InputError, match=r"is 'twice'; choose one of: add, replace"):
        MovingSource("twice")
    with pytest.raises(InputError, match=r"is 'stop'; choose one of: hold, cycle, mirror, cut"):
        MovingSource(ends="stop")


def test_a_picture_is_still_the_first_of_its_batch() -> None:
    options = AnimateOptions(moving=REPLACE)
    found = driven(published_form("fomm"), torch.cat([source_picture(), moving()]), clip_of(), options)
    torch.testing.assert_close(found, driven(published_form("fomm"), source_picture(), clip_of(), AnimateOptions()))
