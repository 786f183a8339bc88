"""Camera that other programs see, and that shows the animated picture: by pyvirtualcam, where the system has one."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.installation import install_hint

if TYPE_CHECKING:
    from pyvirtualcam import Camera

log = logging.getLogger(__name__)

RATE: Final = 30.0  # frames per second that programs are told
EVEN: Final = 2  # cameras have sides that divide by it


class VirtualCamera:
    """Virtual camera, opened with the first picture, and anew where pictures are of another size."""

    def __init__(self) -> None:
        """Check that there may be one. Raises InputError without the package."""
        if find_spec("pyvirtualcam") is None:
            raise InputError(f"needs the package pyvirtualcam. Run: {install_hint('camera')}.", "virtual_camera")
        self._camera: Camera | None = None
        self._size = 0, 0

    def open(self, height: int, width: int) -> None:
        """Open it for pictures of a size. Raises InputError where the system has no such camera."""
        from pyvirtualcam import Camera

        self.close()
        try:
            self._camera = Camera(width, height, RATE)
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(
                f"cannot be opened ({' '.join(str(error).split())}). Install one: OBS Studio brings it on Windows and "
                "macOS, the module v4l2loopback on Linux.",
                "virtual_camera",
            ) from error
        self._size = height, width
        log.info("The virtual camera %s shows the result, %d x %d.", self._camera.device, width, height)

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture (H, W, 3). Raises InputError where the camera cannot take its size."""
        height, width = (side - side % EVEN for side in picture.shape[:2])
        if self._camera is None or self._size != (height, width):
            self.open(height, width)
        assert self._camera is not None  # it was opened
        self._camera.send(np.ascontiguousarray(picture[:height, :width]))

    def close(self) -> None:
        """Close it."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
