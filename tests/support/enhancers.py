"""Descriptors as spandrel makes them: stand-ins in a line each, and real ones small enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from first_order_motion.animation.enhance import Descriptor
from torch import Tensor, nn


class Stand(nn.Module):
    """A network that is one function of pictures, and notes their shapes."""

    def __init__(self, function: Callable[[Tensor], Tensor], in_tuple: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.function, self.in_tuple = function, in_tuple
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, pictures: Tensor, **arguments: bool) -> Tensor | tuple[Tensor, None]:
        self.shapes.append(tuple(pictures.shape))
        self.arguments = arguments
        made = self.function(pictures)
        return (made, None) if self.in_tuple else made


class StandIn:
    """A descriptor around a function, with the facts that spandrel gives for a kind of model."""

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        kind: str = "Any",
        purpose: str = "SR",
        scale: int = 1,
        channels: int = 3,
    ) -> None:
        self.model = Stand(function, in_tuple=kind in ("GFPGAN", "CodeFormer"))
        self.architecture, self.purpose, self.scale = SimpleNamespace(id=kind), purpose, scale
        self.input_channels = self.output_channels = channels
        self.supports_bfloat16 = True

    def __call__(self, image: Tensor) -> Tensor:
        return self.model(image).clamp(0, 1)


def same(pictures: Tensor) -> Tensor:
    """What the perfect restorer of a perfect picture does."""
    return pictures.clone()


def negative(pictures: Tensor) -> Tensor:
    return 1 - pictures


def small_gfpgan() -> Descriptor:
    """A narrow GFPGAN at its one size, described as spandrel describes the published one, with noise that shows."""
    from spandrel import ImageModelDescriptor
    from spandrel.architectures.GFPGAN import GFPGAN, GFPGANArch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = GFPGAN(num_style_feat=16, channel_multiplier=1, narrow=1 / 16, num_mlp=1)
    loud_noise(model)
    return ImageModelDescriptor(
        model,
        model.state_dict(),
        architecture=GFPGANArch(),
        purpose="FaceSR",
        tags=[],
        supports_half=False,
        supports_bfloat16=True,
        scale=1,
        input_channels=3,
        output_channels=3,
        call_fn=lambda network, image: network(image)[0],
    )


def loud_noise(gfpgan: nn.Module) -> None:
    """Let the noise that GFPGAN adds to its maps be seen, as trained weights do."""
    for value in gfpgan.parameters():
        if value.shape == (1,):
            nn.init.constant_(value, 0.3)


def compact_state(scale: int, channels: int = 3) -> dict[str, Tensor]:
    """The weights of a tiny RealESRGAN Compact."""
    from spandrel.architectures.Compact import Compact

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(scale)
        return Compact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale).state_dict()


def restoreformer_state() -> dict[str, Tensor]:
    """The weights of a narrow RestoreFormer in the published layout."""
    from spandrel.architectures.RestoreFormer import RestoreFormer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = RestoreFormer(
            n_embed=16, embed_dim=32, ch=32, ch_mult=(1, 1, 1, 1, 1, 1), num_res_blocks=1, z_channels=32
        )
    return model.state_dict()
