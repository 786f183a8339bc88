"""Drawn faces: seeded, in range, and the pose moves the head but not the backdrop."""

import torch
from first_order_motion.training.drawn import Identity, Pose, draw, paint
from first_order_motion.training.drawn.landmarks import COUNT, landmarks
from first_order_motion.training.drawn.pairs import TEST_SEEDS, held_out_clip, training_generator, training_sample

SIZE = 48


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def still(pose: Pose) -> Pose:
    return pose.map(torch.zeros_like)


def test_a_seed_always_draws_the_same_pictures() -> None:
    first, again, other = (
        draw(Identity.sample(3, g), Pose.sample(3, g), SIZE) for g in (generator(4), generator(4), generator(5))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_pictures_are_finite_and_in_range() -> None:
    pictures, details, _ = paint(Identity.sample(64, generator()), Pose.sample(64, generator()), SIZE)
    assert pictures.shape == (64, 3, SIZE, SIZE) and details.shape == (64, 1, SIZE, SIZE)
    assert torch.isfinite(pictures).all()
    assert pictures.min() >= 0 and pictures.max() <= 1
    assert details.flatten(1).amax(1).min() > 0.9  # every face has eyes and a mouth


def test_an_entry_does_not_depend_on_its_batch() -> None:
    identity, pose = Identity.sample(11, generator()), Pose.sample(11, generator())
    torch.testing.assert_close(draw(identity, pose, SIZE)[9:], draw(identity[9:], pose[9:], SIZE), rtol=0, atol=1e-6)


def test_identities_differ() -> None:
    pose = Pose.sample(1, generator()).repeat(8)
    pictures = draw(Identity.sample(8, generator()), pose, SIZE).flatten(1)
    distances = torch.cdist(pictures, pictures, p=1) / pictures.shape[1]
    assert distances[~torch.eye(8, dtype=torch.bool)].min() > 0.05


def test_the_backdrop_stays_still() -> None:
    identity = Identity.sample(16, generator()).repeat(2)
    pose = Pose.sample(32, generator())
    pictures = draw(identity, pose, SIZE).unflatten(0, (16, 2))
    untouched = (pictures[:, 0] - pictures[:, 1]).abs().amax(1) < 1e-6  # (16, H, W)
    assert untouched.float().mean() > 0.15


def test_an_opening_mouth_changes_the_mouth_alone() -> None:
    identity, pose = Identity.sample(8, generator()), still(Pose.sample(8, generator()))
    shut = Pose(**{**vars(pose), "scale": torch.ones(8), "left": torch.ones(8), "right": torch.ones(8)})
    wide = Pose(**{**vars(shut), "mouth": torch.ones(8)})
    change = (draw(identity, shut, 96) - draw(identity, wide, 96)).abs().mean(1)  # (8, H, W)
    assert change[:, :36].max() < 1e-6
    assert change[:, 48:].flatten(1).amax(1).min() > 0.1


def test_clips_move_smoothly_and_blink() -> None:
    pose = Pose.walk(4, 240, generator())
    for name in ("x", "tilt", "yaw", "mouth"):
        values = getattr(pose, name).unflatten(0, (4, 240))
        assert values.diff(dim=1).abs().max() < 0.35 * (values.max() - values.min())
    assert pose.left.unflatten(0, (4, 240)).amin(1).max() < 0.1


def test_a_training_sample_uses_every_pose_both_ways() -> None:
    sample = training_sample(training_generator(1, 2), 3, SIZE, torch.device("cpu"))
    assert sample.pictures.shape == (6, 3, SIZE, SIZE)
    assert sample.source.tolist() == [0, 1, 2, 3, 4, 5] and sample.driving.tolist() == [1, 0, 3, 2, 5, 4]


def test_training_and_held_out_seeds_are_disjoint() -> None:
    assert training_generator(10**6, 10**7).initial_seed() < TEST_SEEDS
    first, again = held_out_clip(3, 5), held_out_clip(3, 5)
    pictures, details, _ = first.paint(first.other, SIZE)
    assert torch.equal(pictures, again.paint(again.other, SIZE)[0])
    assert pictures.shape == (5, 3, SIZE, SIZE) and details.shape == (5, 1, SIZE, SIZE)
    assert torch.equal(first.every(2).paint(first.other, SIZE)[0], pictures[::2])


def test_parts_are_where_head_and_body_are_seen() -> None:
    identity, pose = Identity.sample(32, generator()), Pose.sample(32, generator())
    painting, points = paint(identity, pose, SIZE), landmarks(identity, pose).points
    assert painting.parts.shape == (32, 2, SIZE, SIZE) and painting.parts.min() >= 0
    assert painting.parts.sum(1).max() <= 1 + 1e-5
    at = torch.nn.functional.grid_sample(painting.parts, points[:, None], align_corners=True)[:, :, 0]
    inside = points.abs().amax(2) < 0.95
    eyes = inside[:, 8:16]
    assert at[:, 0, 8:16][eyes].min() > 0.9
    assert at[:, 1, 0][inside[:, 0]].mean() > 0.8  # the collar, but where a chin hides it
    assert painting.parts[:, :, 0, 0].mean() < 0.1  # backdrop, but for large hats


def test_landmarks_lie_on_what_they_name() -> None:
    identity, pose = Identity.sample(32, generator()), Pose.sample(32, generator())
    wide = Pose(**{**vars(pose), "mouth": torch.ones(32)})
    details = paint(identity, wide, 96).details
    truth = landmarks(identity, wide)
    assert truth.points.shape == (32, COUNT, 2)
    inside = truth.points[:, 4:16]  # mouth and eyes, but for the brows
    inside = torch.cat([inside[:, :7], inside[:, 8:11]], dim=1)
    seen = torch.nn.functional.grid_sample(details, inside[:, None], align_corners=True)
    visible = inside.abs().amax(-1) < 0.95
    assert seen[:, 0, 0][visible].min() > 0.5


def test_landmark_frames_turn_and_scale_with_the_head() -> None:
    identity, rest = Identity.sample(4, generator()), still(Pose.sample(4, generator()))
    tilted = Pose(**{**vars(rest), "scale": torch.full((4,), 1.2), "tilt": torch.full((4,), 0.3)})
    unit = Pose(**{**vars(rest), "scale": torch.ones(4)})
    product = (landmarks(identity, tilted).jacobians @ landmarks(identity, unit).jacobians.inverse())[:, 1:]
    cos, sin = 1.2 * torch.tensor(0.3).cos(), 1.2 * torch.tensor(0.3).sin()
    expected = torch.tensor([[cos, -sin], [sin, cos]]).expand_as(product)
    torch.testing.assert_close(product, expected, rtol=1e-4, atol=1e-5)
