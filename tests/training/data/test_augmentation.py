"""Augmentation: the published order, the same draws for both frames, and bounds."""

import numpy as np
import pytest
import torch
from first_order_motion.core.errors import InputError
from first_order_motion.training.data.augmentation import (
    Augment,
    AugmentationParams,
    CropParams,
    FlipParams,
    JitterParams,
    ResizeParams,
    RotationParams,
)
from first_order_motion.training.draws import generator_for, uniform, whole
from skimage.transform import resize, rotate
from torch import Tensor

EVERYTHING = AugmentationParams(
    FlipParams(horizontal_flip=True, time_flip=True),
    RotationParams(20),
    ResizeParams((0.9, 1.1)),
    CropParams((28, 26)),
    JitterParams(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1),
)


def picture(seed: int = 0, side: int = 32) -> Tensor:
    small = torch.rand(1, 3, 6, 6, generator=generator_for(seed))
    return torch.nn.functional.interpolate(small, (side, side), mode="bilinear")[0] * 0.8 + 0.1


def test_every_step_in_the_published_order() -> None:
    """Flip, rotate, resize, crop, brighten, as scikit-image does them with the numbers that the generator gives."""
    params = AugmentationParams(
        FlipParams(True), RotationParams(20), ResizeParams((0.8, 1.2)), CropParams((24, 22)), JitterParams(0.1)
    )
    image, seen = picture(), set[bool]()
    for seed in range(8):
        made, _ = Augment(params)(image, image, generator_for(seed))
        draws = generator_for(seed)
        uniform(draws)  # of time, which is not to be flipped
        mirrored = uniform(draws) < 0.5
        wanted = image.movedim(0, -1).numpy()
        wanted = np.fliplr(wanted) if mirrored else wanted
        wanted = rotate(wanted, uniform(draws, -20, 20))
        side = int(32 * uniform(draws, 0.8, 1.2))
        wanted = resize(wanted, (side, side), order=0, anti_aliasing=False)
        x, y = whole(draws, side - 22 + 1), whole(draws, side - 24 + 1)
        wanted = np.clip(wanted[y : y + 24, x : x + 22] * uniform(draws, 0.9, 1.1), 0, 1)
        assert made.shape == (3, 24, 22)
        assert np.abs(made.movedim(0, -1).numpy() - wanted).max() < 1e-4
        seen.add(mirrored)
    assert seen == {True, False}


def test_both_frames_get_the_same_change() -> None:
    image = picture()
    for seed in range(20):
        source, driving = Augment(EVERYTHING)(image, image, generator_for(seed))
        assert torch.equal(source, driving) and source.shape == (3, 28, 26)
        assert source.min() >= 0 and source.max() <= 1


def test_frames_swapped_in_time_are_not_mirrored() -> None:
    first, second = picture(1), picture(2)
    found = {"swapped": 0, "mirrored": 0, "kept": 0}
    for seed in range(400):
        source, driving = Augment(AugmentationParams(FlipParams(True, True)))(first, second, generator_for(seed))
        outcomes = {
            "swapped": torch.equal(source, second) and torch.equal(driving, first),
            "mirrored": torch.equal(source, first.flip(2)) and torch.equal(driving, second.flip(2)),
            "kept": torch.equal(source, first) and torch.equal(driving, second),
        }
        assert sum(outcomes.values()) == 1
        found[next(name for name, came in outcomes.items() if came)] += 1
    assert 160 < found["swapped"] < 240 and 65 < found["mirrored"] < 135


def test_the_order_of_colour_changes_is_drawn() -> None:
    image, orders = picture(), set[bool]()
    for seed in range(30):
        made, _ = Augment(AugmentationParams(jitter_param=JitterParams(0.5, 0.5)))(image, image, generator_for(seed))
        draws = generator_for(seed)
        brightness, contrast = uniform(draws, 0.5, 1.5), uniform(draws, 0.5, 1.5)
        bright_first = _contrasted((image * brightness).clamp(0, 1), contrast)
        contrast_first = (_contrasted(image, contrast) * brightness).clamp(0, 1)
        errors = [float((made - wanted).abs().max()) for wanted in (bright_first, contrast_first)]
        assert min(errors) < 1e-5
        if max(errors) > 1e-3:
            orders.add(errors[0] < errors[1])
    assert orders == {True, False}


def _contrasted(image: Tensor, factor: float) -> Tensor:
    grey = (image * torch.tensor([0.2989, 0.587, 0.114]).view(3, 1, 1)).sum(0).mean()
    return (image * factor + grey * (1 - factor)).clamp(0, 1)


def test_small_frames_are_padded_by_their_edges_before_a_crop() -> None:
    image = picture()
    made, _ = Augment(AugmentationParams(crop_param=CropParams(36)))(image, image, generator_for(0))
    assert torch.equal(made[:, 2:34, 2:34], image)
    assert torch.equal(made[:, 0, 2:34], image[:, 0]) and torch.equal(made[:, 35, 35], image[:, 31, 31])


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"resize_param": ResizeParams((0.9, 1.1))}, "ratio was given without crop_param"),
        ({"resize_param": ResizeParams((1.1, 0.9)), "crop_param": CropParams(8)}, "ratio is"),
        ({"jitter_param": JitterParams(hue=0.6)}, "hue is 0.6; 0 to 0.5"),
        ({"crop_param": CropParams((8, 8, 8))}, "one number or"),
    ],
)
def test_values_out_of_bounds(params: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        AugmentationParams(**params)  # type: ignore[arg-type]
