"""Enhancement: what the model is given, what becomes of it, and that nothing depends on how frames are grouped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from first_order_motion.animation.enhance import FACE_SIDE, Enhancer
from first_order_motion.animation.options import Hooks
from first_order_motion.animation.out_of_memory import OutOfMemoryError
from first_order_motion.core.errors import CheckpointError, InputError
from support.architectures import CPU, blobs, one_thread
from support.enhancers import StandIn, compact_state, negative, restoreformer_state, same, small_gfpgan
from torch import Tensor

CLOSE = {"rtol": 0, "atol": 1e-5}
WITHOUT_SPANDREL = "spandrel is not installed: pip install -r tests/requirements.txt"


def frames(count: int = 5, side: int = 32) -> Tensor:
    return blobs(count, side, side).movedim(-1, 1).contiguous()


def enhanced(enhancer: Enhancer, *batches: Tensor) -> Tensor:
    with one_thread():
        return torch.cat([*enhancer.stream(batches)])


def flicker(pictures: Tensor) -> float:
    """How much pictures change from one to the next."""
    return float((pictures[1:] - pictures[:-1]).abs().mean())


@pytest.mark.parametrize("unit_range", [False, True])
@pytest.mark.parametrize("kind", ["GFPGAN", "CodeFormer", "RestoreFormer", "Any"])
def test_a_restorer_that_changes_nothing_keeps_every_colour(kind: str, unit_range: bool) -> None:
    """The range of values is right: grey stays grey, and white does not become brighter."""
    given = frames(2)
    result = enhanced(Enhancer(StandIn(same, kind), CPU, unit_range=unit_range), given)
    torch.testing.assert_close(result, given, **CLOSE)


@pytest.mark.parametrize(("kind", "least"), [("GFPGAN", -1), ("CodeFormer", -1), ("RestoreFormer", 0), ("Any", 0)])
def test_models_get_colours_in_their_own_range(kind: str, least: int) -> None:
    seen: list[Tensor] = []

    def watched(pictures: Tensor) -> Tensor:
        seen.append(pictures)
        return pictures.clone()

    enhanced(Enhancer(StandIn(watched, kind), CPU), torch.tensor([0.0, 0.5, 1.0]).expand(1, 3, 1, 3))
    assert [float(value) for value in seen[0][0, 0, 0]] == [least, (1 + least) / 2, 1]


def test_the_noise_of_gfpgan_is_asked_for_once_and_for_all() -> None:
    model = StandIn(same, "GFPGAN")
    enhanced(Enhancer(model, CPU), frames(1))
    assert model.model.arguments == {"randomize_noise": False}


@pytest.mark.parametrize("side", [31, 64, 512, 600])
def test_restorers_of_faces_get_512_pixels_and_others_the_picture(side: int) -> None:
    for purpose, shape in (("FaceSR", (1, 3, FACE_SIDE, FACE_SIDE)), ("SR", (1, 3, side, side))):
        model = StandIn(same, purpose=purpose)
        enhancer = Enhancer(model, CPU)
        result = enhanced(enhancer, frames(1, side))
        assert model.model.shapes == [shape]
        assert result.shape == shape == (1, 3, enhancer.result_side(side), enhancer.result_side(side))
        assert enhanced(Enhancer(model, CPU, keep_size=True), frames(1, side)).shape == (1, 3, side, side)


def test_strength_blends_the_enlarged_picture_with_the_models() -> None:
    given = frames(2, 40)
    large = F.interpolate(given, (FACE_SIDE, FACE_SIDE), mode="bilinear")
    model = StandIn(negative, purpose="FaceSR")
    for strength in (0.25, 1.0):
        result = enhanced(Enhancer(model, CPU, strength), given)
        torch.testing.assert_close(result, large.lerp(1 - large, strength), **CLOSE)
    model.model.shapes.clear()
    assert torch.equal(enhanced(Enhancer(model, CPU, 0.0), given), large)
    assert torch.equal(enhanced(Enhancer(model, CPU, 0.0, keep_size=True), given), given)
    assert not model.model.shapes, "a model of no strength need not run"


@pytest.mark.parametrize("steadiness", [0.0, 0.6])
def test_grouping_changes_nothing(steadiness: float) -> None:
    given = frames(7)
    wanted = enhanced(Enhancer(StandIn(negative), CPU, 0.7, steadiness, 7), given)
    for batch, sizes in ((3, [7]), (1, [7]), (4, [2, 5]), (9, [1, 6])):
        result = enhanced(Enhancer(StandIn(negative), CPU, 0.7, steadiness, batch), *given.split(sizes))
        torch.testing.assert_close(result, wanted, **CLOSE)


def test_steadiness_is_an_exponential_mean_that_begins_with_the_first_correction() -> None:
    given = frames(3)
    result = enhanced(Enhancer(StandIn(negative), CPU, 1.0, 0.75), given)
    corrections = 1 - 2 * given
    wanted, mean = [], corrections[0]
    for picture, correction in zip(given, corrections, strict=True):
        mean = 0.75 * mean + 0.25 * correction
        wanted.append((picture + mean).clamp(0, 1))
    torch.testing.assert_close(result, torch.stack(wanted), **CLOSE)


def test_steadiness_lessens_the_flicker_of_random_noise() -> None:
    generator = torch.Generator().manual_seed(0)

    def noisy(pictures: Tensor) -> Tensor:
        return pictures + 0.05 * torch.randn(pictures.shape, generator=generator)

    still = torch.full((20, 3, 16, 16), 0.5)
    before, after = (flicker(enhanced(Enhancer(StandIn(noisy), CPU, 1.0, steady), still)) for steady in (0.0, 0.8))
    assert after < 0.25 * before


def test_several_faces_keep_their_order_and_are_steadied_apart() -> None:
    faces = [frames(5), frames(5).flip(0), frames(5).roll(2, 1)]
    together = torch.stack(faces, 1)
    for batch in (1, 2, 4, 8):
        enhancer = Enhancer(StandIn(negative, scale=1), CPU, 0.8, 0.5, batch)
        result = enhanced(enhancer, *together.split([2, 3]))
        assert result.shape == together.shape
        alone = torch.stack([enhanced(enhancer, face) for face in faces], 1)
        torch.testing.assert_close(result, alone, **CLOSE)
        listed = [*enhancer.stream_faces([*frame] for frame in together)]
        torch.testing.assert_close(torch.stack([torch.stack(frame) for frame in listed]), alone, **CLOSE)


def test_no_more_is_worked_on_at_once_than_asked_for() -> None:
    model, drawn = StandIn(same), 0

    def counted() -> Iterator[Tensor]:
        nonlocal drawn
        for batch in frames(12).split(6):
            drawn += len(batch)
            yield batch

    done = 0
    for part in Enhancer(model, CPU, batch=4).stream(counted()):
        done += len(part)
        assert drawn - done < 6 and len(part) <= 4
    faces = frames(1)[None].expand(1, 10, -1, -1, -1)
    enhanced(Enhancer(model, CPU, batch=4), faces)
    assert done == 12 and max(shape[0] for shape in model.model.shapes) == 4


def running_out(most: int) -> Callable[[Tensor], Tensor]:
    def run(pictures: Tensor) -> Tensor:
        if len(pictures) > most:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return 1 - pictures

    return run


def test_less_at_once_where_memory_runs_out() -> None:
    model, freed = StandIn(running_out(1)), []
    hooks = Hooks(free_memory=lambda: freed.append(1))
    result = torch.cat([*Enhancer(model, CPU, batch=4).stream([frames(6)], hooks)])
    torch.testing.assert_close(result, 1 - frames(6), **CLOSE)
    assert freed and [shape[0] for shape in model.model.shapes] == [4, 2, *[1] * 6]
    with pytest.raises(OutOfMemoryError):
        [*Enhancer(StandIn(running_out(0)), CPU).stream([frames(2)])]


def test_the_model_goes_home_however_the_stream_ends() -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    def stop() -> None:
        raise Stopped

    for hooks in (Hooks(), Hooks(check_cancelled=stop)):
        model = StandIn(lambda pictures: pictures.cpu())
        stream = Enhancer(model, torch.device("meta")).stream([frames(1)], hooks)
        moved: list[torch.device] = []
        model.model.to = lambda device, moved=moved: moved.append(torch.device(device))  # type: ignore[method-assign]
        with pytest.raises((Stopped, NotImplementedError)):
            next(stream)
        assert moved == [torch.device("meta"), CPU]


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"strength": 1.1}, "strength is 1.1; 0 to 1"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"steadiness": 1.0}, "steadiness is 1; 0 to below 1"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_numbers_that_make_no_sense(numbers: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Enhancer(StandIn(same), CPU, **numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (StandIn(same, "MAT", "Inpainting"), r"MAT, a model of another purpose \(Inpainting\)"),
        (StandIn(same, "Compact", channels=1), "Compact from 1 to 1 channels"),
    ],
)
def test_models_for_something_else(model: StandIn, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Enhancer(model, CPU)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 1, 8, 8), (2, 3, 0, 8), (1, 3, 8, 9)])
def test_pictures_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="batches have shape"):
        enhanced(Enhancer(StandIn(same, purpose="FaceSR"), CPU), torch.zeros(shape))


def test_a_model_that_makes_no_numbers_is_said() -> None:
    with pytest.raises(CheckpointError, match="no numbers"):
        enhanced(Enhancer(StandIn(lambda pictures: pictures / 0), CPU), torch.zeros(1, 3, 8, 8))


def test_gfpgan_is_called_as_its_own_code_calls_it_and_does_not_flicker() -> None:
    pytest.importorskip("spandrel", reason=WITHOUT_SPANDREL)
    model, given = small_gfpgan(), frames(1, 64)
    with one_thread(), torch.inference_mode():
        large = F.interpolate(given, (FACE_SIDE, FACE_SIDE), mode="bilinear")
        own = model.model(large * 2 - 1, randomize_noise=False)[0]
        random = [model.model(large * 2 - 1)[0] for _ in range(2)]
    drawn = given.repeat(3, 1, 1, 1).contiguous(memory_format=torch.channels_last)  # as animators draw
    result = enhanced(Enhancer(model, CPU), drawn)
    torch.testing.assert_close(result[:1], ((own + 1) / 2).clamp(0, 1), **CLOSE)
    assert flicker(torch.cat(random)) > 0.1 and flicker(result) < 1e-6
    half = enhanced(Enhancer(model, CPU, half=True), given)
    assert 0 < (half - result[:1]).abs().mean() < 0.02
    assert all(value.dtype == torch.float32 for value in model.model.parameters())


def test_gfpgan_whose_last_layers_are_nought_makes_grey() -> None:
    pytest.importorskip("spandrel", reason=WITHOUT_SPANDREL)
    model = small_gfpgan()
    for name, value in model.model.named_parameters():
        if "to_rgb" in name:
            torch.nn.init.zeros_(value)
    assert torch.equal(enhanced(Enhancer(model, CPU), frames(1)), torch.full((1, 3, FACE_SIDE, FACE_SIDE), 0.5))


@pytest.mark.slow
def test_restoreformer_is_called_as_it_is() -> None:
    spandrel = pytest.importorskip("spandrel", reason=WITHOUT_SPANDREL)
    model, given = spandrel.ModelLoader().load_from_state_dict(restoreformer_state()), frames(1, FACE_SIDE)
    result = enhanced(Enhancer(model, CPU), given)
    with one_thread():
        torch.testing.assert_close(result, model(given), rtol=0, atol=1e-4)


@pytest.mark.parametrize("side", [37, 48])
@pytest.mark.parametrize("scale", [2, 4])
def test_upscalers_enlarge_pictures_of_any_size(scale: int, side: int) -> None:
    spandrel = pytest.importorskip("spandrel", reason=WITHOUT_SPANDREL)
    model, given = spandrel.ModelLoader().load_from_state_dict(compact_state(scale)), frames(3, side)
    enhancer = Enhancer(model, CPU, batch=2)
    result = enhanced(enhancer, given)
    assert result.shape == (3, 3, scale * side, scale * side) and enhancer.result_side(side) == scale * side
    torch.testing.assert_close(result, torch.cat([model(picture[None]) for picture in given]), **CLOSE)


def test_what_a_model_wants_of_sizes_is_padded_and_cut_off_again() -> None:
    spandrel = pytest.importorskip("spandrel", reason=WITHOUT_SPANDREL)
    model, given = spandrel.ModelLoader().load_from_state_dict(compact_state(2)), frames(1, 37)
    wanted = enhanced(Enhancer(model, CPU), given)
    seen: list[torch.Size] = []
    model.model.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].shape))
    model.size_requirements = spandrel.SizeRequirements(minimum=64, multiple_of=16)
    result = enhanced(Enhancer(model, CPU), given)
    assert seen == [(1, 3, 64, 64)] and result.shape == wanted.shape
    torch.testing.assert_close(result[..., :60, :60], wanted[..., :60, :60], **CLOSE)
