"""The losses, and pictures seen through a transform, against what they stand for."""

import torch
from first_order_motion.training import losses
from first_order_motion.training.transform import Transform, TransformParams

CPU = torch.device("cpu")


def transform(count: int = 2, sigma_tps: float = 0.05) -> Transform:
    generator = torch.Generator().manual_seed(3)
    return Transform.sample(count, generator, CPU, TransformParams(sigma_affine=0.2, sigma_tps=sigma_tps))


def test_a_picture_moves_as_its_points_do() -> None:
    moved, target = transform(1, sigma_tps=0.005), torch.tensor([[[0.2, -0.1]]])
    grid = torch.linspace(-1, 1, 129)
    place = moved.points(target)[0, 0]
    blob = torch.exp(-((grid[None] - place[0]) ** 2 + (grid[:, None] - place[1]) ** 2) / 0.01)[None, None]
    seen = moved.picture(blob)[0, 0]  # bright where T(z) is the blob's centre: at `target`
    y, x = divmod(int(seen.argmax()), 129)
    torch.testing.assert_close(torch.stack([grid[x], grid[y]]), target[0, 0], rtol=0, atol=0.02)


def test_l1_losses_vanish_for_equal_pictures_and_weights_have_mean_one() -> None:
    picture, details = torch.rand(2, 3, 16, 16), torch.rand(2, 1, 16, 16)
    weights = losses.pixel_weights(details, 4.0)
    assert abs(weights.mean().item() - 1) < 1e-5
    assert losses.pyramid_l1(picture, picture, weights) == 0 and losses.gradient_l1(picture, picture, weights) == 0
    shifted = picture + 0.25
    torch.testing.assert_close(losses.pyramid_l1(shifted, picture, weights).item(), 0.25, rtol=1e-4, atol=0)
    assert losses.gradient_l1(shifted, picture, weights) < 1e-6


def test_a_weighted_sum_takes_each_weight_by_its_name() -> None:
    weights = losses.LossWeights(pyramid=2.0, warped=3.0)
    total = losses.weighted_sum({"pyramid": torch.tensor(1.0), "warped": torch.tensor(10.0)}, weights)
    assert total == 32


def test_assignment_prefers_the_candidate_that_explains_the_picture() -> None:
    driving, wrong = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    moved = torch.stack([wrong, driving, wrong], dim=1)  # the first keypoint's candidate is right
    nearness = torch.zeros(1, 2, 8, 8)
    right, even = torch.tensor([0.01, 0.98, 0.01]), torch.full((3,), 1 / 3)
    values = [
        losses.assignment_loss(mask.view(1, 3, 1, 1).expand(1, 3, 8, 8), moved, driving, nearness)
        for mask in (right, even, 1 - right)
    ]
    assert values[0] < values[1] < values[2]


def test_a_mixture_is_right_when_the_mask_picks_the_right_candidate() -> None:
    driving, wrong = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    moved = torch.stack([wrong, driving], dim=1)
    values = [
        losses.mixture_loss(torch.tensor(mask).view(1, 2, 1, 1).expand(1, 2, 8, 8), moved, driving)
        for mask in ([0.0, 1.0], [0.5, 0.5], [1.0, 0.0])
    ]
    assert values[0] == 0
    torch.testing.assert_close(values[1], values[2] / 2)


def test_parts_cost_least_where_they_are_found_right() -> None:
    truth = (torch.rand(2, 2, 16, 16) > 0.5).float().repeat_interleave(4, 2).repeat_interleave(4, 3)
    found = truth[:, :, ::4, ::4]
    values = [losses.parts_loss(maps, truth) for maps in (found, torch.full_like(found, 0.5), 1 - found)]
    assert values[0] < 1e-3 < values[1] < values[2]
