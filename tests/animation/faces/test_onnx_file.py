"""ONNX files: which runtime runs them, and what is said where none can."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.finders import onnx_file
from first_order_motion.animation.faces.finders.installed import BrokenDetectorError
from numpy.typing import NDArray
from support.packages import put_module, put_package

Floats = NDArray[np.float32]
CPU = torch.device("cpu")


class FaultError(Exception):
    """Error of a package, which no other shares a base class with."""


def opencv(monkeypatch: pytest.MonkeyPatch, read: list[int], broken: bool = False) -> None:
    """Put an OpenCV there as it is in version 4, whose networks are wrong about a second shape."""

    class Net:
        def __init__(self) -> None:
            self.shape: tuple[int, ...] | None = None

        def setInput(self, blob: Floats) -> None:  # noqa: N802
            self.shape = self.shape or blob.shape
            assert self.shape == blob.shape

        def forward(self, names: Sequence[str]) -> tuple[Floats, ...]:
            return tuple(np.zeros(len(name), np.float32) for name in names)

    def read_net(content: NDArray[np.uint8]) -> Net:
        if broken:
            raise FaultError("truncated")
        read.append(len(content))
        return Net()

    put_module(monkeypatch, "cv2", error=FaultError, dnn=SimpleNamespace(readNetFromONNX=read_net))


def test_onnx_runs_in_opencv_one_network_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    opencv(monkeypatch, read)
    run = onnx_file.open_onnx(b"12345", ["a", "bc"], (1, 3, 4, 4))
    for side in (4, 4, 8, 8):
        assert [len(values) for values in run(np.zeros((1, 3, side, side), np.float32))] == [1, 2]
    assert read == [5, 5]


def test_a_broken_onnx_runtime_leaves_the_work_to_opencv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_package(monkeypatch, tmp_path, "onnxruntime")
    (tmp_path / "onnxruntime" / "__init__.py").write_text("raise ImportError('wrong ABI')\n")
    opencv(monkeypatch, [])
    onnx_file.open_onnx(b"", ["a"], (1,))
    opencv(monkeypatch, [], broken=True)
    with pytest.raises(BrokenDetectorError, match=r"^onnxruntime: ImportError: wrong ABI; cv2: FaultError: truncated$"):
        onnx_file.open_onnx(b"", ["a"], (1,))


def test_onnx_without_a_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in onnx_file.RUNTIMES:
        monkeypatch.setitem(sys.modules, name, None)
    assert "onnxruntime, opencv-python-headless" in str(onnx_file.missing_runtime())
    with pytest.raises(BrokenDetectorError, match=r"is needed"):
        onnx_file.open_onnx(b"", ["a"], (1,))


def test_a_damaged_onnx_file_is_one_line() -> None:
    if missing := onnx_file.missing_runtime():
        pytest.skip(f"needs {missing}")
    with pytest.raises(BrokenDetectorError) as caught:
        onnx_file.open_onnx(b"no model", ["a"], (1, 3, 8, 8))
    assert "\n" not in str(caught.value)
