"""The virtual camera, on a stand-in for the package and the system's camera."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from first_order_motion.core.errors import InputError
from first_order_motion.live.virtual_camera import VirtualCamera

HAS_PACKAGE = importlib.util.find_spec("pyvirtualcam") is not None


class FakeCamera:
    """Camera of pyvirtualcam; notes what is done with it."""

    made: list[FakeCamera]

    def __init__(self, width: int, height: int, fps: float) -> None:
        if width > 1000:
            raise RuntimeError("no camera\nwas found")
        self.size, self.device, self.sent, self.closed = (width, height), "/dev/video9", list[tuple[int, ...]](), False
        FakeCamera.made.append(self)

    def send(self, frame: np.ndarray) -> None:
        self.sent.append(frame.shape)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCamera.made = []
    module = ModuleType("pyvirtualcam")
    module.__dict__.update(Camera=FakeCamera, __spec__=SimpleNamespace(name="pyvirtualcam"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)


@pytest.mark.usefixtures("package")
def test_it_is_opened_with_the_first_picture_and_anew_for_another_size() -> None:
    camera = VirtualCamera()
    for side in (64, 64, 33):
        camera.show(np.zeros((side, side, 3), np.uint8))
    first, second = FakeCamera.made
    assert (first.size, first.sent, first.closed) == ((64, 64), [(64, 64, 3)] * 2, True)
    assert (second.size, second.sent) == ((32, 32), [(32, 32, 3)])
    camera.close()
    assert second.closed


@pytest.mark.usefixtures("package")
def test_a_system_without_one_is_said_in_a_line() -> None:
    with pytest.raises(InputError, match=r"^virtual_camera cannot be opened \(no camera was found\)\. Install"):
        VirtualCamera().show(np.zeros((2000, 2000, 3), np.uint8))


@pytest.mark.skipif(HAS_PACKAGE, reason="pyvirtualcam is installed")
def test_without_the_package_it_is_said_how_to_get_it() -> None:
    with pytest.raises(InputError, match=r"virtual_camera needs the package pyvirtualcam\. Run: pip install"):
        VirtualCamera()
