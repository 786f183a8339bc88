"""Articulated weight files: which padding, which size, and what may be missing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.registry import load_animator
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.core.weights.config import to_metadata
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_articulate import architecture as articulate
from first_order_motion.module_articulate import variants
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_articulate.background import BGMotionPredictor
from first_order_motion.module_articulate.config import ArticulateConfig, BGPredictorConfig
from first_order_motion.module_articulate.variants import PUBLISHED
from support.architectures import ARTICULATE, SIDE, driven, seeded, source_picture

TEN = replace(ARTICULATE, num_regions=10)
PADS = {name: row.pad for name, row in variants.VARIANTS.items()}


def states(config: ArticulateConfig = TEN) -> dict[str, dict[str, torch.Tensor]]:
    """What the published code saves, small."""
    return {name: dict(state) for name, state in _states(config).items()}


@cache
def _states(config: ArticulateConfig) -> dict[str, dict[str, torch.Tensor]]:
    model = seeded(ArticulateAnimator(config, SIDE))
    background = BGMotionPredictor(BGPredictorConfig(block_expansion=4, num_blocks=2))
    return {
        **{name: part.state_dict() for name, part in model.named_children()},
        "bg_predictor": background.state_dict(),
    }


def saved(path: Path, components: Mapping[str, object]) -> Path:
    """In the published container, with the training state that some of the files carry."""
    content = {**components, "optimizer_avd": {"state": {}, "param_groups": []}, "epoch_avd": 100}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def loaded(path: Path, variant: str | None = None) -> ArticulateAnimator:
    return articulate.load(read_checkpoint(path), LoadOptions(variant=variant))


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("vox256.pth", "vox256"),
        ("my-Vox_512.pth", "vox256"),
        ("converted-taichi.pth", "taichi256"),  # no "ted" in it
        ("ted384.pth", "ted384"),
        ("mgif256.pth", "mgif256"),
    ],
)
def test_the_name_tells(tmp_path: Path, file: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    animator = loaded(saved(tmp_path / file, states()), variant="mgif256")  # the name comes before the choice
    assert animator.config == replace(TEN, region_predictor=replace(TEN.region_predictor, pad=PADS[name]))
    assert animator.region_predictor.regions.padding == (PADS[name],) * 2
    assert animator.spec.size == int(name[-3:])
    assert f"{file} is taken for {name}, by its name." in caplog.text


def test_twenty_regions_are_ted_youtubes(tmp_path: Path) -> None:
    path = saved(tmp_path / "ted-youtube384.pth", states(replace(ARTICULATE, num_regions=20)))
    assert (loaded(path).spec.size, loaded(path).config.num_regions) == (384, 20)


@pytest.mark.parametrize("reason", ["hash", "size"])
def test_content_comes_before_the_name(
    tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path / "taichi.pth", states())
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if reason == "hash" else "0" * 64
    rows = [row for row in PUBLISHED if row.name == "vox256"]
    rows = [replace(row, size=path.stat().st_size, sha256=digest) for row in rows]
    monkeypatch.setattr(variants, "PUBLISHED", rows)
    assert loaded(path).config.region_predictor.pad == 3
    assert f"taichi.pth is taken for vox256, by its {reason}." in caplog.text


@pytest.mark.parametrize("file", ["face.pth", "vox-and-taichi.pth"])
def test_else_the_user_is_asked(tmp_path: Path, file: str) -> None:
    path = saved(tmp_path / file, states())
    with pytest.raises(CheckpointError, match=rf"{file} .*padding.*vox256, taichi256.*choose") as caught:
        loaded(path)
    assert "\n" not in str(caught.value)
    assert [loaded(path, name).config.region_predictor.pad for name in ("vox256", "taichi256")] == [3, 0]
    with pytest.raises(InputError, match="'fox'; choose one of: vox256"):
        loaded(path, "fox")


def test_the_wrong_padding_does_show(tmp_path: Path) -> None:
    path, clip = saved(tmp_path / "face.pth", states()), source_picture(seed=1)
    options = AnimateOptions(size=SIDE)
    one, other = (driven(loaded(path, name), source_picture(), clip, options) for name in ("vox256", "taichi256"))
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("background", [{}, None])
def test_background_weights_are_not_needed(tmp_path: Path, background: dict[str, object] | None) -> None:
    components = {**states(), "bg_predictor": background}
    animator = loaded(saved(tmp_path / "vox256.pth", components if background is not None else without("bg_predictor")))
    assert not animator.config.affine_background


def without(*names: str) -> dict[str, object]:
    return {name: state for name, state in states().items() if name not in names}


def test_without_its_network_there_is_no_avd(tmp_path: Path) -> None:
    animator = loaded(saved(tmp_path / "vox256.pth", without("avd_network")))
    assert animator.spec.modes == ("relative", "standard")
    assert loaded(saved(tmp_path / "vox256.pth", states())).spec.modes[0] == "avd"


@pytest.mark.parametrize("part", ["region_predictor", "generator", "avd_network"])
def test_loading_is_strict(tmp_path: Path, part: str) -> None:
    components = states()
    components[part].popitem()
    del components[part][next(key for key in components[part] if key.endswith(("norm.bias", "1.bias")))]
    with pytest.raises(CheckpointError, match=rf"{part} of vox256\.pth: .*missing"):
        loaded(saved(tmp_path / "vox256.pth", components))


def test_a_file_without_its_head(tmp_path: Path) -> None:
    components = states()
    del components["region_predictor"]["regions.weight"]
    with pytest.raises(CheckpointError, match=r"vox256\.pth does not describe .*lacks regions\.weight"):
        loaded(saved(tmp_path / "vox256.pth", components))


def test_safetensors_keep_what_they_say_of_themselves(tmp_path: Path) -> None:
    original = read_checkpoint(saved(tmp_path / "vox256.pth", states()))
    path = tmp_path / "face.safetensors"
    to_safetensors(original, path, metadata=to_metadata("articulate", TEN, 128))
    animator = load_animator(path, "articulate")
    assert isinstance(animator, ArticulateAnimator)
    assert (animator.config, animator.spec.size) == (TEN, 128)


def test_a_yaml_beside_the_file(tmp_path: Path) -> None:
    sizes = {"block_expansion": 8, "max_features": 16}
    text = {
        "dataset_params": {"frame_shape": [128, 128, 3]},
        "model_params": {
            "num_regions": 10,
            "num_channels": 3,
            "estimate_affine": True,
            "revert_axis_swap": True,
            "bg_predictor_params": {"block_expansion": 32, "bg_type": "affine"},
            "region_predictor_params": {**sizes, "num_blocks": 2, "pca_based": True, "fast_svd": False, "pad": 0},
            "generator_params": {
                **sizes,
                "num_bottleneck_blocks": 2,
                "skips": True,
                "pixelwise_flow_predictor_params": {**sizes, "num_blocks": 2, "use_covar_heatmap": True},
            },
            "avd_network_params": {"id_bottle_size": 64, "pose_bottle_size": 64},
        },
    }
    path = saved(tmp_path / "face.pth", states())
    (tmp_path / "face.yaml").write_text(str(text).replace("'", '"').replace("True", "true").replace("False", "false"))
    animator = loaded(path)
    assert (animator.spec.size, animator.config.region_predictor.pad) == (128, 0)
    (tmp_path / "face.yaml").write_text(str(text).replace("'", '"').replace("True", "false").replace("False", "false"))
    with pytest.raises(CheckpointError, match=r"face\.yaml .*only True was ever published"):
        loaded(path)


def test_the_scale_is_the_weights_own(tmp_path: Path) -> None:
    path = saved(tmp_path / "vox256.pth", states())
    with pytest.raises(InputError, match="scale_factor"):
        load_animator(path, "articulate", LoadOptions(scale_factor=0.125))
    aligned = load_animator(path, "articulate", LoadOptions(aligned_sampling=True))
    assert isinstance(aligned, ArticulateAnimator) and aligned.generator.align_corners


def test_every_published_file_has_its_facts() -> None:
    rows = PUBLISHED
    assert [row.name for row in rows] == [*variants.VARIANTS]
    assert len({row.size for row in rows}) == len({row.sha256 for row in rows}) == len(rows)
    assert all(row.files[0] == f"{row.name}.pth" and row.url is None and row.licence is None for row in rows)
