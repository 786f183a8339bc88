"""Evaluation: every number of the table is there, and a perfect model would get the best of them."""

import torch
from first_order_motion.animation.predictor import Predictor
from first_order_motion.module_fomm.drawn.network import DrawnAnimator
from first_order_motion.training.drawn.pairs import held_out_clip
from first_order_motion.training.evaluation.drawn import compare, judge, table
from first_order_motion.training.evaluation.tally import Tally
from first_order_motion.training.pose_reader import NAMES, PoseReader, true_values
from first_order_motion.training.samples import resting, sample_clip
from support.trained_model import TINY


def test_the_table_has_every_number() -> None:
    torch.manual_seed(0)
    means = judge(Predictor(DrawnAnimator(TINY, 32), torch.device("cpu")), PoseReader().eval(), clips=2, frames=3)
    text = table(means)
    assert all(part in text for part in (*NAMES, "same identity", "another identity"))
    assert all(value >= 0 for value in means.values())


def test_a_perfect_result_has_no_error_and_baselines_have() -> None:
    truth, details, _ = held_out_clip(0, 4).every(2).paint(held_out_clip(0, 4).identity, 48)
    tally = Tally()
    compare(tally, "same", truth[1:], truth[:1], truth[1:], details[1:])
    means = tally.means()
    assert means["same model"] == means["same model details"] == 0 < means["same copy"]


def test_the_sample_clip_starts_from_rest() -> None:
    clip = sample_clip(3, 0.25, 32)
    assert clip.shape == (6, 3, 32, 32)
    assert torch.equal(clip[0], sample_clip(3, 0.1, 32)[0])
    assert true_values(resting(2)).shape == (2, len(NAMES))
