from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class Net:
    def setInput(self, blob: NDArray[np.float32]) -> None: ...
    def forward(self, outBlobNames: Sequence[str]) -> Sequence[NDArray[np.float32]]: ...

def readNetFromONNX(buffer: NDArray[np.uint8]) -> Net: ...
