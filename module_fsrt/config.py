"""Configuration of FSRT, read off a checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.errors import CheckpointError
from ..core.weights.checkpoint import State
from ..core.weights.shapes import blur_scale, count_numbered, hourglass_sizes

START_OCTAVE = -1  # of every published file; the lowest frequency has period 4
CODE = 4  # numbers per octave: sine and cosine of two coordinates

BOUNDS = {  # least and most
    "num_kp": (1, 1000),
    "kp_octaves": (1, 24),
    "pix_octaves": (1, 24),
    "num_blocks": (1, 16),
    "depth": (1, 64),
    "num_conv_blocks": (1, 16),
    "render_layers": (1, 64),
}


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """Settings of the keypoint detector, published in a file of its own; tensors do not show its temperature."""

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5
    scale_factor: float = 0.25
    temperature: float = 0.1


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Settings of the encoder: `width` channels in its first convolution, `dim` numbers in a token."""

    width: int = 96
    num_conv_blocks: int = 3
    dim: int = 768
    inner: int = 768
    hidden: int = 1536
    depth: int = 5


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Settings of the decoder: widths of its first layer, its attention, the layers after it, and the render MLP."""

    first: int = 720
    inner: int = 768
    hidden: int = 1536
    depth: int = 2
    render_width: int = 1536
    render_layers: int = 5


@dataclass(frozen=True, slots=True)
class FSRTConfig:
    """Settings of a whole model. The defaults are those of both published files.

    Tensors do not show `kp_octaves` and `head_dim`. `expression_per_kp` is how many numbers the expression
    encoder reads at each keypoint, `expression_size` how many it makes of them all.
    """

    num_kp: int = 10
    kp_octaves: int = 4
    pix_octaves: int = 16
    expression_per_kp: int = 32
    expression_size: int = 256
    head_dim: int = 64
    detector: DetectorConfig = DetectorConfig()
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()

    def check(self) -> None:
        """Raise ValueError where the heads of attention do not divide its numbers."""
        if self.encoder.inner % self.head_dim or self.decoder.inner % self.head_dim:
            raise ValueError(
                f"attention of {self.encoder.inner} and {self.decoder.inner} numbers has no heads of {self.head_dim}"
            )

    @property
    def query_parts(self) -> tuple[int, int, int]:
        """Widths of a query's parts: keypoint code, pixel code, expression."""
        return CODE * self.num_kp * self.kp_octaves, CODE * self.pix_octaves, self.expression_size

    @property
    def multiple(self) -> int:
        """Number of pixels that both sides of a picture must be a multiple of."""
        detector = round(2**self.detector.num_blocks / self.detector.scale_factor)
        return max(detector, 2**self.encoder.num_conv_blocks)


def from_states(states: Mapping[str, State]) -> FSRTConfig:
    """Read every size off the tensors of the four networks; raises KeyError if one is not there."""
    detector, expression = states["kp_detector"], states["expression_encoder"]
    num_kp, size = detector["kp.weight"].shape[0], expression["expression_mlp.6.weight"].shape[0]
    return FSRTConfig(
        num_kp=num_kp,
        pix_octaves=_pix_octaves(states["decoder"], num_kp, size),
        expression_per_kp=expression["expression.weight"].shape[0] // num_kp,
        expression_size=size,
        detector=DetectorConfig(**hourglass_sizes(detector, "predictor."), scale_factor=blur_scale(detector, "", 1.0)),
        encoder=_encoder(states["encoder"]),
        decoder=_decoder(states["decoder"]),
    )


def _pix_octaves(decoder: State, num_kp: int, expression_size: int) -> int:
    """Compute the octaves of a query's pixel code from the width that its other parts leave."""
    query = decoder["allocation_transformer.input_mlp.0.weight"].shape[1]
    left = query - expression_size - CODE * num_kp * FSRTConfig().kp_octaves
    if left <= 0 or left % CODE:
        raise CheckpointError(f"a query of {query} numbers does not go with {num_kp} keypoints")
    return left // CODE


def _encoder(state: State) -> EncoderConfig:
    dim, inner = state["transformer.layers.0.0.fn.to_out.0.weight"].shape
    return EncoderConfig(
        width=state["conv_blocks.0.layers.0.weight"].shape[0],
        num_conv_blocks=count_numbered(state, "conv_blocks.{}.layers.0.weight"),
        dim=dim,
        inner=inner,
        hidden=state["transformer.layers.0.1.fn.net.0.weight"].shape[0],
        depth=count_numbered(state, "transformer.layers.{}.0.norm.weight"),
    )


def _decoder(state: State) -> DecoderConfig:
    layers = "allocation_transformer.transformer.layers."
    return DecoderConfig(
        first=state["allocation_transformer.input_mlp.0.weight"].shape[0],
        inner=state[f"{layers}0.0.fn.to_q.weight"].shape[0],
        hidden=state[f"{layers}0.1.fn.net.0.weight"].shape[0],
        depth=count_numbered(state, layers + "{}.0.norm.weight"),
        render_width=state["render_mlp.0.weight"].shape[0],
        render_layers=count_numbered(state, "render_mlp.{}.weight", step=2),
    )
