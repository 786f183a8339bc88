"""Refusal of pictures and options that a model would pass over in silence."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from ..core.errors import InputError
from ..core.types import Animator
from ..core.weights.architecture import RELATIVE_JACOBIAN
from .motion.controls import refuse_controls
from .moving import Source, is_moving
from .options import SOURCE, AnimateOptions, resolve_mode


def refuse_unused_inputs(animator: Animator, source: Source, options: AnimateOptions) -> None:
    """Raise InputError for several pictures, or a limit on pixels, where the model makes no use of them.

    Of a batch in one tensor, as ComfyUI passes it, such a model takes the first picture.
    """
    spec = animator.spec
    if not isinstance(source, Tensor) and not is_moving(source) and len(source) > 1 and not spec.several_sources:
        raise InputError(f"has {len(source)} pictures; {spec.name} takes 1. Leave the others out.", SOURCE)
    if options.max_pixels is not None and not spec.query_bytes:
        raise InputError(f"was given; {spec.name} does not take it. Leave it out.", "max_pixels")


def refuse_unused_options(animator: Animator, options: AnimateOptions, given: Collection[str]) -> None:
    """Raise InputError for the first option given that has no meaning for the model, in the mode in which it runs."""
    refuse_controls(animator.spec, options.controls)
    mode = resolve_mode(animator, options)
    for name in sorted(set(given) & RELATIVE_JACOBIAN):
        if mode != "relative":
            raise InputError(
                f"was given; it changes how movement is added, and the mode {mode} adds none. Leave it out.", name
            )
    if "background" in given and (mode != "standard" or not animator.spec.has_background):
        able = "moves its background only in the mode standard" if animator.spec.has_background else "cannot move any"
        raise InputError(f"was given; {animator.spec.name} {able}. Leave it out.", "background")


def given_options(options: AnimateOptions, best_frame: str | None) -> list[str]:
    """List the options that differ from their defaults, of those that not every mode has a use for."""
    own = options.retargeting
    given = {
        "anchor": isinstance(options.anchor, Tensor) or options.anchor != 0,
        "best_frame": best_frame is not None,
        "relative_jacobian": not own.relative_jacobian,
        "adapt_scale": not own.adapt_scale,
        "background": own.background,
    }
    return [name for name, is_given in given.items() if is_given]
