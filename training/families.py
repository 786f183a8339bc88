"""Architectures that train on videos: how each is configured, built and moved, and how its authors store it.

One trainer serves all; what differs stands in their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..core.types import Animator
from ..core.weights.config import Bounds
from ..module_articulate import config as articulate
from ..module_articulate.animator import ArticulateAnimator
from ..module_fomm import config as fomm
from ..module_fomm.animator import FOMMAnimator
from ..module_spline import config as spline
from ..module_spline.animator import SplineAnimator
from .objectives.articulate import ArticulateObjective
from .objectives.base import Comparison, Objective
from .objectives.fomm import FOMMObjective
from .objectives.params import DiscriminatorParams
from .objectives.spline import SplineObjective
from .optimizers import AdamRow
from .video_params import ArticulateTrainParams, FOMMTrainParams, SplineTrainParams, VideoTrainParams


@dataclass(frozen=True, slots=True)
class ModelParams:
    """Content of `model_params`: the configuration of the networks, and what only training needs of it."""

    config: Any  # the architecture's own dataclass
    discriminator: DiscriminatorParams | None = None
    background: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Row of an architecture that trains on videos.

    `marks` are settings in `model_params` that only it has, as (section or "", name). `read` makes its configuration of
    parsed `model_params`, within `bounds`; `params` is the kind of its `train_params`. `clipped` are networks whose
    gradients are bounded, each number of them by `CLIP`. `file` names a published file by its epoch, which stands in it
    under `epoch`.
    """

    id: str
    marks: tuple[tuple[str, str], ...]
    params: type[VideoTrainParams]
    read: Callable[[Mapping[str, Any]], Any]
    bounds: Bounds
    animator: Callable[[Any, int], Animator]
    objective: Callable[[Any, Any, ModelParams, Comparison], Objective]
    optimizers: tuple[AdamRow, ...]
    critics: tuple[AdamRow, ...] = ()
    clipped: tuple[str, ...] = ()
    file: str = "{:08d}-checkpoint.pth.tar"
    epoch: str = "epoch"


CLIP = 10.0  # of the largest gradient in a network, in the published training of the Thin-Plate Spline model


def _fomm_objective(
    animator: FOMMAnimator, params: FOMMTrainParams, model: ModelParams, comparison: Comparison
) -> Objective:
    return FOMMObjective(animator, params.loss_weights, comparison, model.discriminator)


def _spline_objective(
    animator: SplineAnimator, params: SplineTrainParams, model: ModelParams, comparison: Comparison
) -> Objective:
    weights, background = params.loss_weights, model.background
    return SplineObjective(animator, weights, comparison, params, background=background, seed=params.seed)


def _articulate_objective(
    animator: ArticulateAnimator, params: ArticulateTrainParams, _: ModelParams, comparison: Comparison
) -> Objective:
    return ArticulateObjective(animator, params.loss_weights, comparison)


_FAMILIES = (
    Family(
        id="fomm",
        marks=(("common_params", "num_kp"),),
        params=FOMMTrainParams,
        read=fomm.from_published,
        bounds=fomm.BOUNDS,
        animator=FOMMAnimator,
        objective=_fomm_objective,
        optimizers=(
            AdamRow("optimizer_generator", ("generator",), "lr_generator"),
            AdamRow("optimizer_kp_detector", ("kp_detector",), "lr_kp_detector"),
        ),
        critics=(AdamRow("optimizer_discriminator", ("discriminator",), "lr_discriminator"),),
    ),
    Family(
        id="spline",
        marks=(("common_params", "num_tps"),),
        params=SplineTrainParams,
        read=lambda model: replace(spline.from_published(model), has_avd=False),
        bounds=spline.BOUNDS,
        animator=SplineAnimator,
        objective=_spline_objective,
        optimizers=(
            AdamRow("optimizer", ("inpainting_network", "dense_motion_network", "kp_detector"), "lr_generator", 1e-4),
            AdamRow("optimizer_bg_predictor", ("bg_predictor",), "lr_generator", 1e-4),
        ),
        clipped=("kp_detector", "dense_motion_network", "bg_predictor"),
    ),
    Family(
        id="articulate",
        marks=(("", "num_regions"),),
        params=ArticulateTrainParams,
        read=lambda model: replace(articulate.from_published(model), avd=False),
        bounds=articulate.BOUNDS,
        animator=ArticulateAnimator,
        objective=_articulate_objective,
        optimizers=(AdamRow("optimizer_reconstruction", ("generator", "region_predictor", "bg_predictor"), "lr"),),
        file="{:08d}-cpk-reconstruction.pth",
        epoch="epoch_reconstruction",
    ),
)

FAMILIES: Mapping[str, Family] = {family.id: family for family in _FAMILIES}
"""Rows by the id of the architecture."""


def family_of(model: Mapping[str, Any]) -> Family | None:
    """Tell whose `model_params` these are; None where they have the marks of no architecture."""
    for family in _FAMILIES:
        if all(name in (model.get(section, {}) if section else model) for section, name in family.marks):
            return family
    return None
