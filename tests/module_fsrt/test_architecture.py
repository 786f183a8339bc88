"""FSRT's two weight files: found, strict, told apart, and made one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.registry import KINDS, architectures, load_animator, published_names
from first_order_motion.cli.main import main
from first_order_motion.core.errors import CheckpointError, InputError, MissingWeightsError
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.core.weights.find import Stamps, WeightFiles
from first_order_motion.module_fsrt.animator import FSRTAnimator
from first_order_motion.module_fsrt.config import FSRTConfig, from_states
from PIL import Image
from support.architectures import FSRT, SIDE, blobs, driven, one_thread, seeded, source_picture, tiny
from support.media_files import build_video
from torch import Tensor

State = dict[str, Tensor]
OPTIONS = AnimateOptions(size=SIDE)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def states(config: FSRTConfig = FSRT) -> dict[str, State]:
    model = tiny("fsrt") if config is FSRT else seeded(FSRTAnimator(config, SIDE))
    return {name: dict(part.state_dict()) for name, part in model.named_children()}


def leftovers() -> dict[str, object]:
    """What the trainer leaves in the file, NumPy's numbers among it."""
    return {
        "optimizer": {"state": {}, "param_groups": []},
        "discriminator": {"weight": torch.ones(1)},
        "epoch_it": 3,
        "t": 1.5,
        "loss_val_best": np.float64(0.1),
        "run_id": "abc",
    }


def written(folder: Path, change: Callable[[dict[str, State]], None] = lambda parts: None) -> Path:
    """The published pair of files; the path of the model's."""
    folder.mkdir(exist_ok=True)
    parts = states()
    change(parts)
    torch.save(parts.pop("kp_detector"), folder / "kp_detector.pt")
    torch.save(parts | leftovers(), folder / "vox256.pt")
    return folder / "vox256.pt"


def same_pictures(path: Path, *folders: Path) -> bool:
    model = load_animator(path, "fsrt", folders=folders)
    wanted = driven(tiny("fsrt"), source_picture(), blobs(2), OPTIONS)
    return torch.equal(driven(model, source_picture(), blobs(2), OPTIONS), wanted)  # type: ignore[arg-type]


def test_the_published_pair_gives_the_same_pictures(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert same_pictures(path)
    assert load_animator(path, "fsrt").spec.size == 256


def test_the_detector_may_be_in_another_folder(tmp_path: Path) -> None:
    path, other = written(tmp_path / "models"), tmp_path / "other"
    other.mkdir()
    (path.parent / "kp_detector.pt").rename(other / "kp_detector.pt")
    assert same_pictures(path, tmp_path / "nowhere", other)
    with pytest.raises(MissingWeightsError, match=r"kp_detector\.pt .*github.com/andrerochow/fsrt .*models\.$"):
        load_animator(path, "fsrt", folders=[tmp_path / "nowhere"])


def test_the_detector_beside_the_model_comes_first(tmp_path: Path) -> None:
    path = written(tmp_path / "models")
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    torch.save({"kp.weight": torch.ones(1)}, wrong / "kp_detector.pt")
    assert same_pictures(path, wrong)


def test_another_files_yaml_is_not_mistaken_for_ours(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.with_suffix(".yaml").write_text("model_params: {num_regions: 10}\n", "utf-8")  # of vox256.pth, articulated
    assert same_pictures(path)


@pytest.mark.parametrize("part", ["encoder", "decoder", "expression_encoder"])
def test_a_model_without_a_network_is_refused(tmp_path: Path, part: str) -> None:
    """The published loader would warn, and animate with random weights."""
    path = written(tmp_path, lambda parts: parts.__setitem__(part, {}))
    with pytest.raises(CheckpointError, match=r"vox256\.pt is of no architecture.*FSRT weights are needed"):
        load_animator(path, "fsrt")


def drop(part: str, key: str) -> Callable[[dict[str, State]], None]:
    return lambda parts: parts[part].__delitem__(key)


def put(part: str, key: str, value: Tensor) -> Callable[[dict[str, State]], None]:
    return lambda parts: parts[part].__setitem__(key, value)


DAMAGES = {
    "missing": (drop("decoder", "render_mlp.2.bias"), r"decoder of vox256\.pt: 1 missing \(render_mlp\.2\.bias\)"),
    "extra": (put("encoder", "more.weight", torch.ones(1)), r"encoder of vox256\.pt: 1 unexpected \(more\.weight\)"),
    "shape": (put("encoder", "per_patch_linear.bias", torch.ones(3)), r"1 of another shape \(per_patch_linear\.bias"),
    "nan": (put("decoder", "render_mlp.0.bias", torch.full((32,), torch.nan)), r"not finite \(render_mlp\.0\.bias\)"),
    "detector": (drop("kp_detector", "kp.bias"), r"kp_detector of vox256\.pt: 1 missing \(kp\.bias\)"),
    "queries": (put("decoder", "allocation_transformer.input_mlp.0.weight", torch.ones(24, 7)), "query of 7 numbers"),
    "no layer": (drop("decoder", "render_mlp.0.weight"), r"does not describe a published FSRT model.*render_mlp\.0"),
}


@pytest.mark.parametrize(("change", "says"), DAMAGES.values(), ids=DAMAGES)
def test_loading_is_strict(tmp_path: Path, change: Callable[[dict[str, State]], None], says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        load_animator(written(tmp_path, change), "fsrt")


def test_batch_counters_may_be_missing(tmp_path: Path) -> None:
    def without_counters(parts: dict[str, State]) -> None:
        for key in [key for key in parts["kp_detector"] if key.endswith("num_batches_tracked")]:
            del parts["kp_detector"][key]

    assert same_pictures(written(tmp_path, without_counters))


def test_parallel_training_leaves_no_trace(tmp_path: Path) -> None:
    def prefixed(parts: dict[str, State]) -> None:
        for name, state in parts.items():
            parts[name] = {f"module.{key}": value for key, value in state.items()}

    assert same_pictures(written(tmp_path, prefixed))


def test_the_two_files_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(CheckpointError, match=r"kp_detector\.pt holds FSRT's keypoint detector weights; FSRT weights"):
        load_animator(tmp_path / "kp_detector.pt", "fsrt")
    (tmp_path / "kp_detector.pt").write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match=r"kp_detector\.pt holds FSRT weights; FSRT's keypoint detector weights"):
        load_animator(path, "fsrt")
    with pytest.raises(CheckpointError, match="this one belongs to FSRT"):
        load_animator(path, "fomm")


def versions(path: Path, identity: str, folders: Sequence[Path] = ()) -> Stamps:
    return WeightFiles.of(KINDS[identity], path, folders).stamps


def test_a_replaced_detector_makes_another_version(tmp_path: Path) -> None:
    path, detector, elsewhere = written(tmp_path / "own"), tmp_path / "own" / "kp_detector.pt", tmp_path / "elsewhere"
    before = versions(path, "fsrt")
    assert [file for file, _ in before] == [path, detector]
    os.utime(detector, ns=(0, 0))
    assert versions(path, "fsrt") == (before[0], (detector, 0))
    assert versions(path, "fomm") == versions(path, "face_parsing") == before[:1]
    elsewhere.mkdir()
    detector.rename(elsewhere / "kp_detector.pt")
    assert versions(path, "fsrt") == before[:1]
    assert versions(path, "fsrt", [elsewhere]) == (before[0], (elsewhere / "kp_detector.pt", 0))


@pytest.mark.parametrize("options", [LoadOptions(scale_factor=0.5), LoadOptions(aligned_sampling=True)])
def test_options_of_other_weights_are_refused(tmp_path: Path, options: LoadOptions) -> None:
    with pytest.raises(InputError, match=r"(scale_factor|aligned_sampling) was given; FSRT does not take it"):
        load_animator(written(tmp_path), "fsrt", options)


def test_converting_makes_one_file_of_two(tmp_path: Path) -> None:
    new = tmp_path / "new" / "mine.safetensors"
    assert main(["convert", str(written(tmp_path)), str(new)]) == 0
    assert set(read_checkpoint(new).components) == {"kp_detector", "expression_encoder", "encoder", "decoder"}
    assert same_pictures(new)
    assert load_animator(new, "fsrt").config == FSRT


def test_every_size_is_read_off_the_tensors() -> None:
    with torch.device("meta"):
        for config in (FSRTConfig(), FSRT, small_decoder()):
            model = FSRTAnimator(config)
            assert from_states({name: part.state_dict() for name, part in model.named_children()}) == config


def small_decoder() -> FSRTConfig:
    """`small_decoder` of the published code, which no published file uses: half the heads, a shorter render MLP."""
    decoder = replace(FSRTConfig().decoder, inner=384, hidden=768, render_layers=3)
    return replace(FSRTConfig(), decoder=decoder)


def test_the_published_network_has_as_many_parameters() -> None:
    with torch.device("meta"):
        model = FSRTAnimator(FSRTConfig())
    counts = {name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in model.named_children()}
    assert {name: round(count, 2) for name, count in counts.items()} == {
        "kp_detector": 14.15, "expression_encoder": 2.56, "encoder": 29.77, "decoder": 15.31,
    }  # fmt: skip


def test_what_is_published() -> None:
    assert published_names("fsrt") == ["vox256", "vox256_2Source"]
    rows = [*KINDS["fsrt"].published, *KINDS["fsrt_keypoints"].published]
    assert [row.files[0] for row in rows] == ["vox256.pt", "vox256_2Source.pt", "kp_detector.pt"]
    assert all(row.earlier == "module_fsrt/models" and row.url is None and row.licence is None for row in rows)
    assert all(len(kind.published) == 1 for row in architectures().values() for kind in row.companion_files.values())


# --- the command line ---


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, seed in (("one.png", 1), ("two.png", 2)):
        Image.fromarray((blobs(1, seed=seed)[0] * 255).byte().numpy()).save(tmp_path / name)
    build_video(tmp_path / "driving.mp4", 3, audio="aac")
    written(tmp_path)
    return tmp_path


def command(files: Path, *more: str) -> list[str]:
    paths = [str(files / name) for name in ("one.png", "driving.mp4", "result.mp4")]
    return ["run", *paths, "--device", "cpu", "--size", str(SIDE), *more]


def test_the_command_line_takes_several_sources(files: Path) -> None:
    ours = ["--architecture", "fsrt", "--checkpoint", str(files / "vox256.pt"), "--sheet", str(files / "sheet.png")]
    more = ["--more-sources", str(files / "two.png"), str(files / "one.png"), "--max-pixels", "1000", "--absolute"]
    assert main(command(files, *ours, *more)) == 0
    assert len(VideoClip(files / "result.mp4")) == 3
    assert (files / "sheet.png").exists()


def test_other_architectures_refuse_several_sources(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({name: part.state_dict() for name, part in tiny("spline").named_children()}, files / "vox.pth.tar")
    ours = ["--architecture", "spline", "--checkpoint", str(files / "vox.pth.tar")]
    assert main(command(files, *ours, "--more-sources", str(files / "two.png"))) == 1
    assert (
        "error: --more-sources was given; Thin-Plate Spline Motion Model does not take it." in capsys.readouterr().err
    )
