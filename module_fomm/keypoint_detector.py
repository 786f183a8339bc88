"""Keypoints with local linear maps, learnt without labels (FOMM, section 3.1)."""

from __future__ import annotations

from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.blocks import head
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import at_least_float32, expected_frame, expected_point, spatial_softmax
from ..core.layers.hourglass import Hourglass
from ..core.types import Motion
from .config import FOMMConfig


class KPDetector(nn.Module):
    """Detector of keypoints and their jacobians.

    With `pad` 0 the heatmap is six cells smaller than the feature map on either side, and its own grid
    still spans [-1, 1]: a constant stretch that the weights were trained with.
    """

    def __init__(self, config: FOMMConfig) -> None:
        super().__init__()
        kp = config.kp_detector
        self.temperature = kp.temperature
        mobile = config.mobile_net
        sizes = (kp.block_expansion, config.num_channels, kp.num_blocks, kp.max_features)
        self.predictor = Hourglass(*sizes, separable=mobile)
        self.kp = head(self.predictor.out_features, config.num_kp, kp.pad, stacked=mobile, relu=False)
        self.jacobian = self._jacobian_head(config) if config.estimate_jacobian else None
        self.down = shrink(config.num_channels, kp.scale_factor, config.sigma)

    def _jacobian_head(self, config: FOMMConfig) -> nn.Module:
        kp = config.kp_detector
        maps = 1 if kp.single_jacobian_map else config.num_kp
        layers = head(self.predictor.out_features, 4 * maps, kp.pad, stacked=config.mobile_net, relu=False)
        last = layers[-1] if isinstance(layers, nn.Sequential) else layers
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)  # training starts from identity maps
        last.bias.data.copy_(last.bias.new_tensor([1, 0, 0, 1] * maps))
        return layers

    def forward(self, image: Tensor) -> Motion:
        """Map pictures (B, 3, H, W) in [0, 1] to keypoints (B, K, 2) and jacobians (B, K, 2, 2)."""
        features = self.predictor(self.down(image))
        heatmap = spatial_softmax(at_least_float32(self.kp(features)), self.temperature)
        points = expected_point(heatmap, make_coordinate_grid(*heatmap.shape[2:], like=heatmap))
        if self.jacobian is None:
            return Motion(points)
        return Motion(points, expected_frame(heatmap, at_least_float32(self.jacobian(features))))
