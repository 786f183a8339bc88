"""Motion files: they come back as they were, and what is damaged, foreign or no number is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.motion import track_file
from first_order_motion.animation.motion.identity import ModelIdentity
from first_order_motion.animation.motion.track import MotionTrack
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.core.errors import CheckpointError, FirstOrderError, InputError, MediaError
from first_order_motion.core.types import Motion
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from support.architectures import CPU, SIDE, TINY, one_thread, source_picture, tiny
from support.command_line import build_files
from support.drivers import clip_of, named
from support.optimized import published_form
from torch import Tensor

MODEL = ModelIdentity("fomm", 64 * "a", "face.pth.tar")
MOVED = [name for name in TINY if not tiny(name).spec.keeps_pose]


def track(frames: int = 5, rate: float = 29.97) -> MotionTrack:
    generator = torch.Generator().manual_seed(0)
    points, maps, vector = (torch.randn(frames, *shape, generator=generator) for shape in ((4, 2), (4, 2, 2), (3,)))
    return MotionTrack(Motion(points, maps, {"expression": vector}), rate, MODEL, 256)


@pytest.mark.parametrize("name", MOVED)
def test_a_file_gives_the_same_pictures(name: str, tmp_path: Path) -> None:
    with one_thread():
        model = Predictor(published_form(name), CPU)
        read = model.read_motion(clip_of(), AnimateOptions(batch=4, rate=29.97))
        read.save(tmp_path / "motion.safetensors")
        found = MotionTrack.load(tmp_path / "motion.safetensors")
        assert (found.model, found.fps, found.size, len(found)) == (read.model, read.fps, SIDE, len(read))
        frames, wanted = (
            torch.cat([*model.animate(source_picture(), driving, AnimateOptions(batch=4))])
            for driving in (found, clip_of())
        )
    assert torch.equal(frames, wanted)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(1, 5), st.booleans(), st.floats(0.01, 1000), st.integers(1, 4096))
def test_any_motion_comes_back(
    tmp_path_factory: pytest.TempPathFactory, frames: int, points: int, with_maps: bool, rate: float, size: int
) -> None:
    path = tmp_path_factory.mktemp("motion") / "any.safetensors"
    maps = torch.randn(frames, points, 2, 2) if with_maps else None
    given_ = MotionTrack(Motion(torch.randn(frames, points, 2), maps), rate, MODEL, size)
    given_.save(path)
    found = MotionTrack.load(path)
    assert found.fps == given_.fps and found.size == size and found.model == MODEL
    for name, value in named(given_.motion).items():
        assert torch.equal(named(found.motion)[name], value)


def test_a_file_of_other_weights_is_refused_by_name(tmp_path: Path) -> None:
    track().save(tmp_path / "other.safetensors")
    model = Predictor(tiny("fomm"), CPU)
    with pytest.raises(InputError) as caught:
        next(model.animate(source_picture(), MotionTrack.load(tmp_path / "other.safetensors")))
    says = str(caught.value)
    assert f"{tmp_path / 'other.safetensors'}, movement that face.pth.tar (fomm, SHA-256 aaaaaaaaaaaa…) read" in says
    assert f"FOMM (fomm, SHA-256 {model.identity.weights[:12]}…) is loaded" in says


# --- what anyone may have written ---


def rewritten(path: Path, change: Callable[[dict[str, Tensor], dict[str, str]], None]) -> Path:
    """A saved track with its tensors or metadata changed."""
    track().save(path)
    tensors = load_file(path)
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    metadata = header["__metadata__"]
    change(tensors, metadata)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path


def put(name: str, value: Tensor | str) -> Callable[[dict[str, Tensor], dict[str, str]], None]:
    def change(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        if isinstance(value, str):
            metadata[name] = value
        else:
            tensors[name] = value

    return change


def hurt(name: str, value: float) -> Callable[[dict[str, Tensor], dict[str, str]], None]:
    def change(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        tensors[name][3].view(-1)[0] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (hurt("points", torch.nan), r"a pose that is no number \(frame 3\)"),
        (hurt("jacobians", torch.inf), r"no number \(frame 3\)"),
        (hurt("extra.expression", -torch.inf), r"no number \(frame 3\)"),
        (hurt("points", 3e38), r"far outside any picture \(frame 3\)"),
        (put("format", "else"), "holds no motion but something else, perhaps weights"),
        (put("version", "2"), "is of version 2, which this pack does not know"),
        (put("weights_sha256", "A" * 64), "of its weights_sha256"),
        (put("weights_sha256", "a" * 65), "of its weights_sha256"),
        (put("architecture", "../fomm\n"), "of its architecture"),
        (put("rate", "0"), "says 0 of its rate"),
        (put("rate", "1/0"), "says 1/0 of its rate"),
        (put("rate", "9" * 30), "of its rate"),
        (put("rate", "200000"), "200000 frames per second"),
        (put("size", "-3"), "says -3 of its size"),
        (put("points", torch.zeros(5, 4, 3)), "no points of two numbers"),
        (put("points", torch.zeros(5, 0, 2)), "5 frames of 0 points"),
        (put("points", torch.zeros(5, 1001, 2)), "5 frames of 1001 points"),
        (put("points", torch.zeros(6, 4, 2)), "'?jacobians'? has a name or a shape|extra"),
        (put("points", torch.zeros(5, 4, 2).double()), "float64 values instead"),
        (put("weights", torch.zeros(5)), "weights has a name or a shape"),
        (put("extra.Ünder", torch.zeros(5, 2)), "a name or a shape"),
        (put("extra.frames", torch.zeros(5, 3, 8, 8)), "extra.frames has a name or a shape"),
    ],
)
def test_what_is_no_motion_is_refused(tmp_path: Path, change: Callable[..., None], says: str) -> None:
    with pytest.raises((InputError, CheckpointError), match=says) as caught:
        MotionTrack.load(rewritten(tmp_path / "bad.safetensors", change))
    assert "bad.safetensors" in str(caught.value) and len(str(caught.value)) < 500


def test_weights_and_torn_files_are_refused(tmp_path: Path) -> None:
    build_files(tmp_path)
    with pytest.raises(InputError, match="perhaps weights"):
        MotionTrack.load(tmp_path / "tiny.safetensors")
    track().save(tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    for length in (0, 4, 60, len(content) - 1):
        (tmp_path / "torn.safetensors").write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"damaged or cut short.*a whole motion file was wanted"):
            MotionTrack.load(tmp_path / "torn.safetensors")


def test_bytes_changed_anywhere_do_no_more_than_raise(tmp_path: Path) -> None:
    track().save(tmp_path / "whole.safetensors")
    content = bytearray((tmp_path / "whole.safetensors").read_bytes())
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        changed = bytearray(content)
        for place in torch.randint(len(content), (3,), generator=generator).tolist():
            changed[place] = int(torch.randint(256, (), generator=generator))
        (tmp_path / "changed.safetensors").write_bytes(changed)
        try:
            MotionTrack.load(tmp_path / "changed.safetensors")
        except FirstOrderError:
            continue


def test_size_is_bounded_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_file, "MOST_BYTES", 100)
    track().save(tmp_path / "long.safetensors")
    with pytest.raises(InputError, match="has more than 100 bytes"):
        MotionTrack.load(tmp_path / "long.safetensors")


def test_missing_files_and_other_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        MotionTrack.load(tmp_path / "nowhere.safetensors")
    with pytest.raises(InputError, match=r"ends in \.safetensors"):
        track().save(tmp_path / "motion.mp4")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(MediaError, match="cannot be written"):
        track().save(tmp_path / "folder.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.safetensors"]
