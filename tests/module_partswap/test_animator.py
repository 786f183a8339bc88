"""Part Swap: what is chosen, where it shows, and that a face parser does its work once where once is enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions, Hooks
from first_order_motion.animation.pipeline import animate_mapped
from first_order_motion.core.errors import InputError
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.core.types import MASK, Mapped, Motion, Prepared
from first_order_motion.face_parsing.config import FaceParsingConfig
from first_order_motion.face_parsing.parser import FaceParser
from first_order_motion.module_partswap.animator import PartSwapAnimator
from first_order_motion.module_partswap.parts import (
    NAMES,
    PARTS,
    chosen_parts,
    from_switches,
    join_numbers,
    part_names,
    stored_ids,
)
from first_order_motion.module_partswap.swap import Swap, blur
from support.architectures import CPU, PARTSWAP, SIDE, blobs, driven, one_thread, seeded, source_picture, tiny
from support.optimized import published_form
from support.paths import ROOT
from torch import Tensor

EVERYTHING, NOTHING = Swap(tuple(range(6))), Swap(())
SAME = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def model(**changes: object) -> PartSwapAnimator:
    if not changes:
        return tiny("partswap")
    return seeded(PartSwapAnimator(replace(PARTSWAP, **changes), SIDE))


def mapped(animator: PartSwapAnimator, count: int = 3, **options: int) -> Mapped:
    """The whole clip as one batch."""
    options = AnimateOptions(**{"batch": 2, **options})
    parts = list(animate_mapped(animator, source_picture(), TensorClip(blobs(count)), CPU, options))
    maps = {name: torch.cat([part.maps[name] for part in parts]) for name in ("target", MASK)}
    return Mapped(torch.cat([part.pictures for part in parts]), {**maps, "source": parts[0].maps["source"]})


def parser(classes: int = 19) -> FaceParser:
    return seeded(FaceParser(FaceParsingConfig(num_classes=classes, width=4), SIDE))


# --- the swap itself ---


def test_nothing_chosen_keeps_the_target_and_everything_hides_it() -> None:
    nothing, everything = (mapped(model().with_swap(swap)) for swap in (NOTHING, EVERYTHING))
    assert nothing.maps[MASK].max() == 0
    torch.testing.assert_close(everything.maps[MASK][..., 4:-4, 4:-4].amax(), torch.tensor(1.0), **SAME)
    other = driven(model().with_swap(NOTHING), source_picture(seed=5), blobs(3), AnimateOptions())
    torch.testing.assert_close(other, nothing.pictures, **SAME)  # the source shows nowhere
    assert (everything.pictures - nothing.pictures).abs().max() > 0.01


def test_pictures_are_the_same_with_and_without_maps() -> None:
    animator = model().with_swap(Swap((1, 4)))
    plain = driven(animator, source_picture(), blobs(3), AnimateOptions(batch=2))
    torch.testing.assert_close(mapped(animator).pictures, plain, **SAME)


def test_parts_add_up() -> None:
    """Soft masks of parts sum to the mask of their union, and segments to one."""
    masks = [mapped(model().with_swap(Swap(chosen))).maps for chosen in ((1,), (3, 5), (1, 3, 5))]
    torch.testing.assert_close(masks[0][MASK] + masks[1][MASK], masks[2][MASK], **SAME)
    torch.testing.assert_close(masks[0]["target"].sum(dim=1), torch.ones(3, 16, 16), **SAME)


@pytest.mark.parametrize("from_source", [True, False])
def test_hard_edges_threshold_the_sum(from_source: bool) -> None:
    soft = Swap((1, 2, 3), from_source)
    animator = model()
    segments = mapped(animator.with_swap(soft)).maps["source" if from_source else "target"]
    hard = replace(soft, hard_edges=True).mask(segments)
    assert set(hard.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(hard, (segments[:, 1:4].sum(dim=1, keepdim=True) > 0.5).float())


@pytest.mark.parametrize("scale", [1.0, 0.99, 0.9, 0.8])
def test_blend_scale_does_nothing_down_to_eight_tenths(scale: float) -> None:
    mask = torch.rand(2, 1, 16, 16)
    assert torch.equal(blur(mask, scale), mask)


@pytest.mark.parametrize("scale", [0.79, 0.6])
def test_blend_scale_blurs_a_little_below(scale: float) -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[0, 0, 4, 4] = 1
    soft = blur(mask, scale)
    assert soft.shape == mask.shape
    assert 0 < soft[0, 0, 4, 5] < 0.012
    torch.testing.assert_close(soft.sum(), torch.tensor(1.0))


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.125])
@pytest.mark.parametrize("from_source", [True, False])
def test_a_smaller_mask_is_brought_back_to_size(scale: float, from_source: bool) -> None:
    swapped = mapped(model().with_swap(Swap((1, 2), from_source, blend_scale=scale)))
    assert swapped.maps[MASK].shape == (3, 1, 16, 16)
    assert swapped.pictures.isfinite().all()


@pytest.mark.parametrize("size", [128, 192])
def test_other_sizes_and_scales_blend(size: int) -> None:
    for animator in (model(), seeded(PartSwapAnimator(PARTSWAP.at_scale(0.125), SIDE))):
        assert mapped(animator, size=size).pictures.shape == (3, 3, size, size)


@pytest.mark.parametrize("swap", [Swap((6,)), Swap((-1,))])
def test_a_part_beyond_the_last_is_named(swap: Swap) -> None:
    with pytest.raises(InputError, match="parts 0 to 5"):
        mapped(model().with_swap(swap))


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5])
def test_a_scale_that_is_none_is_named(scale: float) -> None:
    with pytest.raises(InputError, match="blend_scale"):
        Swap(blend_scale=scale)


def test_swapping_leaves_the_model_as_it_was() -> None:
    animator = model()
    before, other = animator.swap, animator.with_swap(NOTHING)
    assert (animator.swap, other.swap) == (before, NOTHING)
    assert other.reconstruction_module is animator.reconstruction_module


def test_a_plain_fomm_without_parser_is_refused() -> None:
    animator = model(first_order=True, has_segments=False)
    with pytest.raises(InputError, match="Use a face parser"):
        mapped(animator)


# --- with a face parser ---


@pytest.mark.parametrize(("from_source", "looks"), [(True, 1), (False, 1 + 5)])
@pytest.mark.parametrize("segments", [True, False])
def test_the_parser_looks_no_more_often_than_it_must(from_source: bool, looks: int, segments: bool) -> None:
    animator, faces, seen = model(first_order=not segments, has_segments=segments), parser(), []
    faces.network.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
    swapped = mapped(animator.with_swap(Swap((17, 18), from_source, parse=faces.subsampled_probabilities)), 5)
    assert sum(seen) == looks
    assert swapped.pictures.shape == (5, 3, SIDE, SIDE)
    assert swapped.maps["source"].shape[:2] == (1, 19)
    assert swapped.maps["target"].shape[:2] == (5, 19)


@pytest.mark.parametrize("from_source", [True, False])
@pytest.mark.parametrize("how", ["subsampled_probabilities", "full_size_probabilities"])
def test_batches_change_nothing_with_a_parser(from_source: bool, how: str) -> None:
    swap = Swap(
        (1, 17),
        from_source,
        blend_scale=1.0 if how == "subsampled_probabilities" else 0.125,
        parse=getattr(optimize(parser(), CPU, fast=False), how),
    )
    alone, together = (mapped(published_form("partswap").with_swap(swap), 5, batch=batch) for batch in (1, 4))
    torch.testing.assert_close(together.pictures, alone.pictures, **SAME)
    torch.testing.assert_close(together.maps[MASK], alone.maps[MASK], **SAME)


def test_hair_and_hat_can_be_chosen() -> None:
    plain, hair = (
        mapped(model().with_swap(Swap(c, parse=parser().subsampled_probabilities))).maps[MASK] for c in ((1,), (17, 18))
    )
    assert (plain - hair).abs().max() > 0.01


# --- choosing ---


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("1_2_5", (1, 2, 5)),
        ("5_1_2_1", (1, 2, 5)),
        (1, (1,)),
        (1.0, (1,)),
        ("1.0", (1,)),
        ([1, 2], (1, 2)),
        ((2, 1), (1, 2)),
        (["1", "5"], (1, 5)),
        (" 1, 2;5 ", (1, 2, 5)),
        ("0", (0,)),
        ("1_2_15", (1, 2)),
        ("hair, chin", (1, 4)),
        ("front of the face", (2,)),
        ("m_3_shoulder, fr_head", (3, 5)),
    ],
)
def test_choices_parse(value: object, numbers: tuple[int, ...]) -> None:
    assert chosen_parts(value, 5) == numbers


@pytest.mark.parametrize("value", ["", "  ", "_", None, [], "15_16", "None", False])
def test_nothing_chosen_is_a_clear_error(value: object) -> None:
    with pytest.raises(InputError, match=r"parts is .*no segment is chosen; at least one of 0 to 5"):
        chosen_parts(value, 5)


@pytest.mark.parametrize("value", ["nose", "-1", "1_x", "hair chin", "\x00"])
def test_unknown_parts_are_named(value: str) -> None:
    with pytest.raises(InputError, match=r"is no part; write numbers from 0 to 5") as caught:
        chosen_parts(value, 5)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", PARTS)
def test_choosers_go_by_name(count: int) -> None:
    ids = stored_ids(count)
    assert len(ids) == len(part_names(count)) == count + 1
    assert [int(name.split("_")[1]) for name in ids] == list(range(count + 1))
    switches = {name: number > 0 for number, name in enumerate(ids)}
    backwards = dict(reversed(switches.items()))
    assert from_switches(count, switches) == from_switches(count, backwards) == join_numbers(range(1, count + 1))
    assert from_switches(count, {}) == ""
    assert all(name in NAMES for name in PARTS[count])
    assert chosen_parts(from_switches(count, switches), count) == tuple(range(1, count + 1))


def test_weights_nobody_named_have_numbers() -> None:
    assert part_names(3) == ["background", "part 1", "part 2", "part 3"]
    assert chosen_parts("part 2", 3) == (2,)


def test_the_node_takes_every_published_name() -> None:
    from first_order_motion.animation.registry import published_names

    text = (ROOT / "comfy_nodes" / "partswap.py").read_text()
    assert len(published_names("partswap")) == 6
    assert all(f'"{name}"' in text for name in published_names("partswap"))


def test_masks_keep_their_range() -> None:
    swapped: Tensor = mapped(model()).maps[MASK]
    assert swapped.min() >= 0 and swapped.max() <= 1 + 1e-6


# --- leaving the driver with maps ---


def test_cancel_and_back_off_hold_for_mapped_batches_too() -> None:
    animator, sizes, freed = model(), [], []
    whole = mapped(animator, 5)

    class Heavy:
        """Out of memory above two frames."""

        def __getattr__(self, name: str) -> object:
            return getattr(animator, name)

        def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
            sizes.append(len(motion))
            if len(motion) > 2:
                raise MemoryError
            return animator.render_mapped(prepared, motion)

    def cancelled() -> None:
        raise KeyError("cancel")

    clip, hooks = TensorClip(blobs(5)), Hooks(free_memory=lambda: freed.append(1))
    parts = list(animate_mapped(Heavy(), source_picture(), clip, CPU, AnimateOptions(batch=4), hooks))
    torch.testing.assert_close(torch.cat([part.pictures for part in parts]), whole.pictures, **SAME)
    assert (sizes, len(freed)) == ([4, 2, 2, 1], 2)
    with pytest.raises(KeyError, match="cancel"):
        next(animate_mapped(animator, source_picture(), clip, CPU, None, Hooks(cancelled, hooks.free_memory)))
    assert len(freed) == 3
