"""What the parity adapters of all architectures share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.core.types import Animator, Motion
from torch import Tensor

Arrays = dict[str, np.ndarray]

DEVICE = torch.device(os.environ.get("PARITY_DEVICE", "cpu"))  # CONTRIBUTING.md, "On a GPU"


def picture(array: np.ndarray, repeat: int = 1) -> Tensor:
    """uint8 (H, W, 3) -> float (1, 3, H, W), every pixel repeated."""
    rgb = placed(array.astype(np.float32) / 255).movedim(-1, 0)[None]
    return rgb.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3)


def placed(array: np.ndarray) -> Tensor:
    """The array as a tensor on the device that is tested."""
    return torch.from_numpy(array).to(DEVICE)


@contextmanager
def undrawn() -> Iterator[None]:
    """Layers made inside get no random values, which take longer than all else and are loaded over anyway."""
    with patch.multiple(torch.nn.init, kaiming_uniform_=_left, uniform_=_left):
        yield


def _left(tensor: Tensor, *_: object, **__: object) -> Tensor:
    return tensor


class Recorder:
    """An Animator that notes the motions it is asked to render."""

    def __init__(self, animator) -> None:
        self.animator, self.rendered = animator, []
        self.spec, self.prepare, self.motion = animator.spec, animator.prepare, animator.motion
        self.avd = getattr(animator, "avd", None)
        self.move_background = getattr(animator, "move_background", None)

    def render(self, prepared, motion: Motion) -> Tensor:
        self.rendered.append(motion)
        return self.animator.render(prepared, motion)


class Taps:
    """Outputs of submodules, by name, while a network runs."""

    def __init__(self, **modules: torch.nn.Module) -> None:
        self.seen: dict[str, Tensor] = {}
        for name, module in modules.items():
            self.add(name, module)

    def add(self, name: str, module: torch.nn.Module) -> None:
        """Note what comes out of one more."""
        # cloned, for the next layer may work in place
        module.register_forward_hook(lambda _m, _i, out: self.seen.__setitem__(name, out.clone()))

    def entering(self, **modules: torch.nn.Module) -> None:
        """Note what goes into submodules, too."""
        for name, module in modules.items():
            module.register_forward_pre_hook(lambda _m, args, name=name: self.seen.__setitem__(name, args[0].clone()))


def drive(animator: Animator, source: np.ndarray, driving: np.ndarray, options: AnimateOptions) -> dict[str, Tensor]:
    """The whole driver: the poses it renders, and the pictures."""
    recorder = Recorder(animator)
    still, clip = torch.from_numpy(source)[None], TensorClip(torch.from_numpy(driving))
    frames = torch.cat(list(animate(recorder, still, clip, DEVICE, options)))
    motions = {"kp_value": torch.cat([motion.points for motion in recorder.rendered])}
    if recorder.rendered[0].jacobians is not None:
        motions["kp_jacobian"] = torch.cat([motion.jacobians for motion in recorder.rendered])
    for name in recorder.rendered[0].extra:
        motions[name] = torch.cat([motion.extra[name] for motion in recorder.rendered])
    return motions | {"prediction": frames}
