"""Background predictors of architectures whose animation leaves them out: made for training, used for evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from torch import Tensor, nn

from ..animation.predictor import Predictor
from ..core.layers.background import BGMotionPredictor
from ..core.types import Animator, Motion, Prepared
from ..core.weights.build import load_strict
from ..core.weights.checkpoint import read_checkpoint
from ..module_articulate.animator import ArticulateAnimator
from ..module_articulate.background import BGMotionPredictor as RegionBGMotionPredictor
from ..module_spline.animator import SplineAnimator

COMPONENT: Final = "bg_predictor"
SOURCE, FRAME, BACKGROUND = "picture", "frame", "background"
"""Names in what is prepared of a source, and in a motion's `extra`."""


def background_predictor(animator: Animator) -> nn.Module | None:
    """Build the network that goes with a model's; None where there is none beside it."""
    if isinstance(animator, SplineAnimator):
        return BGMotionPredictor(animator.config.num_channels, animator.config.width)
    if isinstance(animator, ArticulateAnimator) and animator.config.affine_background:
        return RegionBGMotionPredictor(animator.config.bg_predictor)
    return None


class BackgroundAnimator(Animator):
    """Model that moves the background as its predictor says, for reconstructing the source's own video."""

    def __init__(self, animator: SplineAnimator | ArticulateAnimator, bg_predictor: nn.Module) -> None:
        super().__init__()
        self.animator, self.bg_predictor = animator, bg_predictor
        self.config = animator.config
        self.spec = replace(animator.spec, has_background=True)
        self.eval()

    def prepare(self, source: Tensor) -> Prepared:
        """Prepare the source as the model does, and keep it."""
        own = self.animator.prepare(source)
        return Prepared(own.motion, {**own.features, SOURCE: source})

    def motion(self, driving: Tensor) -> Motion:
        """Read the poses of driving frames (B, 3, H, W), and keep the frames."""
        own = self.animator.motion(driving)
        return replace(own, extra={**own.extra, FRAME: driving})

    def move_background(self, prepared: Prepared, motion: Motion) -> Motion:
        """Add the background's motion (B, 3, 3) to B driving poses."""
        frames = motion.extra[FRAME]
        matrix = self.bg_predictor(prepared.features[SOURCE].expand_as(frames), frames)
        return replace(motion, extra={**motion.extra, BACKGROUND: matrix})

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw the source in B poses, before the background that was added to them."""
        return self.animator.render(prepared, motion, motion.extra[BACKGROUND])


def with_background(predictor: Predictor) -> Predictor:
    """Have a model move the background, where its file holds the network for it; else return it as it is."""
    animator, origin = predictor.animator, predictor.origin
    network = background_predictor(animator)
    if network is None or origin is None or origin.weights is None:
        return predictor
    assert isinstance(animator, SplineAnimator | ArticulateAnimator)  # others have no such network
    path = origin.weights.path
    state = read_checkpoint(path).components.get(COMPONENT)
    if not state:
        return predictor
    load_strict(network, state, f"{COMPONENT} of {path.name}")
    return Predictor(BackgroundAnimator(animator, network.to(predictor.device)), predictor.device)
