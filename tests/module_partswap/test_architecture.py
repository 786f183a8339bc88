"""Part Swap's weight files: both published layouts, FOMM's own, and what is missing from them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from first_order_motion.animation.find_model import find_model
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.registry import load_animator, trim_and_describe
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_partswap.animator import PartSwapAnimator
from first_order_motion.module_partswap.config import PartSwapConfig, from_published
from first_order_motion.module_partswap.swap import Swap
from support.architectures import FOMM, PARTSWAP, PARTSWAP_FIRST_ORDER, SIDE, blobs, driven, seeded, source_picture
from torch import Tensor

States = dict[str, dict[str, Tensor]]
BACK = {"shift": "kp", "affine": "jacobian", "segmentation": "semantic_seg"}
RUN = AnimateOptions(size=SIDE)


def states(config: PartSwapConfig = PARTSWAP) -> States:
    return {name: part.state_dict() for name, part in seeded(PartSwapAnimator(config, SIDE)).named_children()}


def like_fomm(parts: States) -> States:
    """The same in the second layout."""
    renamed = {
        BACK.get(key.partition(".")[0], key.partition(".")[0]) + "." + key.partition(".")[2]: tensor
        for key, tensor in parts["segmentation_module"].items()
    }
    return {"generator": parts["reconstruction_module"], "kp_detector": renamed}


def saved(content: object, path: Path) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def fomm_states() -> States:
    return {name: part.state_dict() for name, part in seeded(FOMMAnimator(FOMM, SIDE)).named_children()}


def picture(path: Path, options: LoadOptions | None = None) -> Tensor:
    return driven(load_animator(path, "partswap", options), source_picture(), blobs(2), RUN)


LAYOUTS = {
    "own": lambda parts: {**parts, "optimizer_segmentation_module": {"state": {}}, "epoch": 5},
    "fomm": lambda parts: {**like_fomm(parts), "epoch": 5},
    "data_parallel": lambda parts: {n: {f"module.{k}": t for k, t in s.items()} for n, s in parts.items()},
    "no_blur": lambda parts: {n: {k: t for k, t in s.items() if "down.weight" not in k} for n, s in parts.items()},
    "flat": lambda parts: {f"{n}.{k}": t for n, s in parts.items() for k, t in s.items()},
    "more_than_needed": lambda parts: {
        "generator": {**like_fomm(parts)["generator"], "old_head.weight": torch.ones(1)},
        "kp_detector": like_fomm(parts)["kp_detector"],
    },
}


@pytest.mark.parametrize("config", [PARTSWAP, PARTSWAP_FIRST_ORDER], ids=["segments", "first_order"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pictures(tmp_path: Path, layout: str, config: PartSwapConfig) -> None:
    path = saved(LAYOUTS[layout](states(config)), tmp_path / "mine.pth.tar")
    wanted = driven(seeded(PartSwapAnimator(config, SIDE)), source_picture(), blobs(2), RUN)
    torch.testing.assert_close(picture(path), wanted, rtol=0, atol=1e-6)


def test_a_segment_files_spare_motion_network_is_left_alone(tmp_path: Path) -> None:
    content = like_fomm(states(PARTSWAP_FIRST_ORDER))
    plain, named = (saved(content, tmp_path / name) for name in ("vox-first-order.pth.tar", "vox-5segments.pth.tar"))
    assert load_animator(plain, "partswap").config.first_order
    assert not load_animator(named, "partswap").config.first_order


@pytest.mark.parametrize(
    ("component", "key"),
    [
        ("generator", "final.weight"),
        ("generator", "bottleneck.r1.norm2.running_var"),
        ("kp_detector", "predictor.decoder.up_blocks.1.conv.bias"),
        ("kp_detector", "semantic_seg.bias"),
    ],
)
def test_what_the_second_layout_lacks_is_named(tmp_path: Path, component: str, key: str) -> None:
    content = like_fomm(states())
    del content[component][key]
    with pytest.raises(CheckpointError, match=key.split(".")[-1]):
        load_animator(saved(content, tmp_path / "x.pth.tar"), "partswap")


def test_a_fomm_swaps_with_a_parser_alone(tmp_path: Path) -> None:
    path = saved(fomm_states(), tmp_path / "vox-cpk.pth.tar")
    animator = load_animator(path, "partswap")
    assert (animator.config.first_order, animator.config.has_segments) == (True, False)
    with pytest.raises(InputError, match="face parser"):
        driven(animator, source_picture(), blobs(2), RUN)
    parse = lambda images: torch.softmax(images.mean(dim=1, keepdim=True) * torch.ones(1, 19, 1, 1), dim=1)  # noqa: E731
    frames = driven(animator.with_swap(Swap((1, 17), parse=parse)), source_picture(), blobs(2), RUN)
    assert frames.shape == (2, 3, SIDE, SIDE)


def test_a_converted_fomm_is_the_same_part_swap(tmp_path: Path) -> None:
    checkpoint, metadata = trim_and_describe(read_checkpoint(saved(fomm_states(), tmp_path / "vox-cpk.pth.tar")))
    to_safetensors(checkpoint, tmp_path / "vox-cpk.safetensors", metadata=metadata)
    configs = [load_animator(tmp_path / f"vox-cpk.{end}", "partswap").config for end in ("pth.tar", "safetensors")]
    assert configs[0] == configs[1]


@pytest.mark.parametrize("layout", ["own", "fomm"])
def test_converting_keeps_the_pictures(tmp_path: Path, layout: str) -> None:
    parts = states(PARTSWAP_FIRST_ORDER)
    path = saved(LAYOUTS[layout](parts), tmp_path / "vox-5segments.pth.tar")
    checkpoint, metadata = trim_and_describe(read_checkpoint(path))
    new = tmp_path / "other.safetensors"
    to_safetensors(checkpoint, new, metadata=metadata)
    assert load_animator(new, "partswap").config == load_animator(path, "partswap").config
    torch.testing.assert_close(picture(new), picture(path), rtol=0, atol=1e-6)


def test_the_bundled_model_is_refused_with_a_reason() -> None:
    path = find_model("drawn-faces")[0].path
    with pytest.raises(CheckpointError, match="Drawn Faces"):
        load_animator(path, "partswap")


def test_options(tmp_path: Path) -> None:
    path = saved(states(), tmp_path / "x.pth.tar")
    smaller = load_animator(path, "partswap", LoadOptions(scale_factor=0.125)).config
    assert (smaller.segmentation_module.scale_factor, smaller.sigma) == (0.125, 1.5)
    assert load_animator(path, "partswap", LoadOptions(aligned_sampling=True)).config.align_corners
    with pytest.raises(InputError, match=r"scale_factor is 0\.3"):
        load_animator(path, "partswap", LoadOptions(scale_factor=0.3))


def test_a_yaml_beside_the_file_is_read(tmp_path: Path) -> None:
    sizes = {"block_expansion": 8, "max_features": 16}
    published = {
        "model_params": {
            "common_params": {"num_segments": 5, "num_channels": 3, "estimate_affine_part": True},
            "segmentation_module_params": {**sizes, "num_blocks": 2, "temperature": 0.2, "scale_factor": 0.25},
            "reconstruction_module_params": {
                **sizes, "max_features": 16, "num_down_blocks": 2, "num_bottleneck_blocks": 2,
                "estimate_visibility": True,
            },
        }
    }  # fmt: skip
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(published))
    found = load_animator(saved(states(), tmp_path / "x.pth.tar"), "partswap").config
    assert found.segmentation_module.temperature == 0.2
    published["model_params"]["common_params"]["colour"] = "red"
    with pytest.raises(CheckpointError, match="colour"):
        from_published(published)
