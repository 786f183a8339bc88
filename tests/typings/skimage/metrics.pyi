from numpy.typing import NDArray
from numpy import float32

def structural_similarity(
    im1: NDArray[float32],
    im2: NDArray[float32],
    *,
    channel_axis: int | None = None,
    data_range: float | None = None,
    gaussian_weights: bool = False,
    sigma: float = 1.5,
    use_sample_covariance: bool = True,
) -> float: ...
