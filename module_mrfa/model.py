"""MRFA as a whole, under the published names."""

from __future__ import annotations

from torch import Tensor, nn

from ..core.layers.background import BGMotionPredictor
from .config import MRFAConfig
from .dense_motion import DenseMotionNetwork
from .raft_flow import RaftFlow
from .token_pose import KeypointEncoder


class MRFA(nn.Module):
    """Keypoint encoder, motion prior, refining decoder and, where the weights have one, background predictor."""

    def __init__(self, config: MRFAConfig) -> None:
        super().__init__()
        self.encoder = KeypointEncoder(config)
        self.dense_motion = DenseMotionNetwork(config)
        self.bg_predictor = BGMotionPredictor(width=config.background_width) if config.has_background else None
        self.decoder = RaftFlow(config)
        self.down = self.dense_motion.down  # published files hold the same kernel twice

    def encode(self, source: Tensor, points: Tensor) -> dict[str, Tensor]:
        """Compute all that depends on the source (1, 3, H, W) and its keypoints (1, K, 2) alone."""
        small = self.down(source)
        features = {"source": source, "small": small, "heatmaps": self.dense_motion.heatmaps(small, points)}
        return features | self.decoder.encode(source, small, points)
