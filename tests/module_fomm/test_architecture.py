"""FOMM weight files end to end: every published layout gives the same picture, every bad file one clear error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.core.layers.antialias import gaussian_kernel
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.core.weights.config import to_metadata
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import FOMMConfig, GeneratorConfig, from_published, from_states
from parity.seeded_weights import load_pack
from support.architectures import (
    FOMM,
    FOMM_LIKE_MGIF,
    FOMM_POINTS_ONLY,
    SIDE,
    blobs,
    driven,
    one_thread,
    source_picture,
)
from support.fomm_files import (
    States,
    assert_complaint,
    edited,
    loaded,
    mapped,
    network,
    published_yaml,
    saved,
    states_of,
    without,
)
from support.paths import PARITY_ROOT
from torch import Tensor

PACKS = sorted((PARITY_ROOT / "fomm").iterdir())
SAME = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def picture(animator: Any) -> Tensor:
    options = AnimateOptions(size=SIDE, batch=2)
    return driven(animator, source_picture(), blobs(2), options)


# --- layouts ---


def with_training_state(states: States) -> dict[str, object]:
    layer = torch.nn.Conv2d(3, 8, 4)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.zeros(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    names = ("generator", "discriminator", "kp_detector")
    optimizers = {f"optimizer_{name}": optimizer.state_dict() for name in names}
    return {**states, "discriminator": layer.state_dict(), **optimizers, "epoch": 99}


LAYOUTS: dict[str, Callable[[States], object]] = {
    "trimmed": lambda states: states,
    "as_published": with_training_state,
    "data_parallel": lambda states: mapped(states, lambda key, value: (f"module.{key}", value)),
    "data_parallel_outside": lambda states: {f"module.{name}": state for name, state in states.items()},
    "flat": lambda states: {f"{name}.{key}": value for name in states for key, value in states[name].items()},
    "in_a_state_dict_entry": lambda states: {"state_dict": states, "epoch": 1},
    "no_batch_counters": lambda states: without(states, "num_batches_tracked"),
    "no_blur_kernels": lambda states: without(states, "down.weight"),
    "parameters": lambda states: mapped(states, lambda key, value: (key, as_parameter(value))),
    "double_precision": lambda states: mapped(states, lambda key, value: (key, cast(value, torch.float64))),
}


def as_parameter(value: Tensor) -> Tensor:
    return torch.nn.Parameter(value) if value.is_floating_point() else value


def cast(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("config", [FOMM, FOMM_LIKE_MGIF, FOMM_POINTS_ONLY], ids=["vox", "mgif", "points_only"])
def test_every_layout_gives_the_same_picture(
    tmp_path: Path, config: FOMMConfig, layout: Callable[[States], object], zipped: bool
) -> None:
    animator = network(config)
    found = loaded(saved(layout(states_of(animator)), tmp_path / "vox-cpk.pth.tar", zipped))
    assert found.spec.size == 256
    torch.testing.assert_close(picture(found), picture(animator), **SAME)


def test_float16_weights_give_the_picture_of_their_rounded_values(tmp_path: Path) -> None:
    rounded = mapped(states_of(network()), lambda key, value: (key, cast(value, torch.float16)))
    animator = network()
    for name, state in rounded.items():
        animator.get_submodule(name).load_state_dict(state)
    found = loaded(saved(rounded, tmp_path / "vox.pth"))
    assert {parameter.dtype for parameter in found.parameters()} == {torch.float32}
    torch.testing.assert_close(picture(found), picture(animator), **SAME)


@pytest.mark.parametrize("described", [True, False], ids=["own_metadata", "no_metadata"])
def test_converted_files(tmp_path: Path, described: bool) -> None:
    animator = network()
    original = read_checkpoint(saved(with_training_state(states_of(animator)), tmp_path / "vox.pth.tar"))
    path = tmp_path / "vox.safetensors"
    to_safetensors(original, path, metadata=to_metadata("fomm", animator.config, SIDE) if described else None)
    found = loaded(path)
    assert found.spec.size == (SIDE if described else 256)
    torch.testing.assert_close(picture(found), picture(animator), **SAME)


def test_metadata_say_what_tensors_cannot(tmp_path: Path) -> None:
    config = replace(
        FOMM.at_scale(0.5),
        align_corners=True,
        kp_detector=replace(FOMM.kp_detector, temperature=0.3, scale_factor=0.5),
    )
    animator = network(config)
    original = read_checkpoint(saved(states_of(animator), tmp_path / "vox.pth.tar"))
    to_safetensors(original, tmp_path / "a.safetensors", metadata=to_metadata("fomm", config, 128))
    found = loaded(tmp_path / "a.safetensors")
    assert (found.config, found.spec.size) == (config, 128)
    torch.testing.assert_close(picture(found), picture(animator), **SAME)


# --- hyper-parameters ---


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_published_sizes_are_read_off_the_tensors(pack: Path) -> None:
    manifest, arrays = load_pack(pack)
    states = {name: {key: torch.from_numpy(value) for key, value in state.items()} for name, state in arrays.items()}
    found, published = from_states(states["kp_detector"], states["generator"]), from_published(manifest["config"])
    with torch.device("meta"):
        assert shapes(FOMMAnimator(found)) == shapes(FOMMAnimator(published))
    # the published cap of the generator's width, 512, is out of its reach
    capped = replace(found, generator=replace(found.generator, max_features=published.generator.max_features))
    assert capped == published


CONFIGS = {
    "tiny": FOMM,
    "single_jacobian": FOMM_LIKE_MGIF,
    "no_jacobian_no_occlusion": FOMM_POINTS_ONLY,
    "no_occlusion": replace(FOMM, generator=replace(FOMM.generator, estimate_occlusion_map=False)),
    "one_keypoint": replace(FOMM, num_kp=1),
    "fifteen_keypoints": replace(FOMM, num_kp=15),
    "wide_keypoints": replace(FOMM, kp_detector=replace(FOMM.kp_detector, block_expansion=12, max_features=48)),
    "deep_keypoints": replace(FOMM, kp_detector=replace(FOMM.kp_detector, num_blocks=4, max_features=64)),
    "deep_motion": replace(FOMM, dense_motion=replace(FOMM.dense_motion, num_blocks=3, max_features=64)),
    "capped": replace(FOMM, dense_motion=replace(FOMM.dense_motion, num_blocks=3, max_features=10)),
    "generator": replace(FOMM, generator=GeneratorConfig(6, 24, num_down_blocks=3, num_bottleneck_blocks=1)),
    "no_bottleneck": replace(FOMM, generator=replace(FOMM.generator, max_features=32, num_bottleneck_blocks=0)),
    "half_scale": FOMM.at_scale(0.5),
    "eighth_scale_own_kernel": replace(
        FOMM,
        kp_detector=replace(FOMM.kp_detector, scale_factor=0.125),
        dense_motion=replace(FOMM.dense_motion, scale_factor=0.125),
    ),
}


def shapes(animator: FOMMAnimator) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in animator.state_dict().items()}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_other_sizes_are_read_off_the_tensors(config: FOMMConfig) -> None:
    states = states_of(FOMMAnimator(config))
    found = from_states(states["kp_detector"], states["generator"])
    assert shapes(FOMMAnimator(found)) == shapes(FOMMAnimator(config))
    assert (found.num_kp, found.estimate_jacobian) == (config.num_kp, config.estimate_jacobian)
    if config.sigma is None:
        assert found == config


def test_at_scale_keeps_the_kernel_of_the_weights(tmp_path: Path) -> None:
    path = saved(states_of(network()), tmp_path / "vox.pth")
    for scale in (0.125, 0.5):
        found = loaded(path, LoadOptions(scale_factor=scale))
        for down in (found.kp_detector.down, found.generator.dense_motion_network.down):
            assert down.weight.shape == (3, 1, 13, 13)
            assert down.stride == round(1 / scale)
            torch.testing.assert_close(down.weight[0, 0], gaussian_kernel(1.5))
    assert loaded(path, LoadOptions(scale_factor=0.125)).spec.multiple == 32


def test_a_lost_kernel_is_made_anew_at_another_scale(tmp_path: Path) -> None:
    whole = saved(states_of(network()), tmp_path / "whole.pth")
    lost = saved(without(states_of(network()), "down.weight"), tmp_path / "lost.pth")
    pictures = [picture(loaded(path, LoadOptions(scale_factor=0.125))) for path in (whole, lost)]
    torch.testing.assert_close(*pictures, **SAME)


def test_sampling_is_an_option_of_loading(tmp_path: Path) -> None:
    path = saved(states_of(network()), tmp_path / "vox.pth")
    default, plain, aligned = (picture(loaded(path, LoadOptions(aligned_sampling=a))) for a in (None, False, True))
    assert torch.equal(default, plain)
    assert (aligned - plain).abs().max() > 1e-3
    torch.testing.assert_close(aligned, picture(network(replace(FOMM, align_corners=True))), **SAME)


@pytest.mark.parametrize("scale", [0.0, -0.25, 0.3, 2.0, float("nan")])
def test_a_scale_that_is_none_is_refused(tmp_path: Path, scale: float) -> None:
    path = saved(states_of(network()), tmp_path / "vox.pth")
    assert_complaint(lambda: loaded(path, LoadOptions(scale_factor=scale)), "scale", "0.25")


# --- a published YAML beside the weights ---


def with_yaml(path: Path, text: str) -> Path:
    (path.parent / "vox-cpk.yaml").write_text(text, "utf-8")
    return saved(states_of(network()), path)


def test_a_yaml_beside_says_what_tensors_cannot(tmp_path: Path) -> None:
    config = replace(FOMM, kp_detector=replace(FOMM.kp_detector, temperature=0.3))
    path = with_yaml(tmp_path / "vox-cpk.pth.tar", yaml.safe_dump(published_yaml(config)))
    assert loaded(path).config == config
    torch.testing.assert_close(picture(loaded(path)), picture(network(config)), **SAME)
    (tmp_path / "vox-cpk.yaml").unlink()
    assert loaded(path).config == FOMM


YAMLS = {
    "unknown_motion_key": (edited("dense_motion_params", bg_init=1), ["unknown setting 'bg_init'"]),
    "unknown_keypoint_key": (edited("kp_detector_params", clip=1), ["unknown setting 'clip'"]),
    "setting_of_ours": (edited("generator_params", skips=True), ["unknown setting 'skips'"]),
    "unknown_generator_key": (edited("generator_params", blobs=3), ["unknown setting 'blobs'"]),
    "unknown_common_key": (edited("common_params", bg=True), ["unknown setting 'bg'"]),
    "of_another_size": (edited("kp_detector_params", block_expansion=4), ["kp_detector", "of another shape"]),
    "enormous": (edited("kp_detector_params", block_expansion=10**6), ["block_expansion", "1000000"]),
    "very_wide": (edited("kp_detector_params", block_expansion=60000, max_features=60000), ["kp_detector", "shape"]),
    "endless": (edited("kp_detector_params", num_blocks=10**9), ["num_blocks", "1000000000"]),
    "negative": (edited("generator_params", num_down_blocks=-2), ["num_down_blocks", "-2"]),
    "text_for_a_number": (edited("common_params", num_kp="ten"), ["num_kp", "'ten'"]),
    "odd_scale": (edited("dense_motion_params", scale_factor=0.3), ["scale_factor", "0.3"]),
    "zero_temperature": (edited("kp_detector_params", temperature=0), ["temperature"]),
    "no_sections": ("model_params: {}\n", ["common_params"]),
    "sections_of_numbers": ("model_params: 3\n", []),
    "empty": ("", []),
    "a_list": ("- 1\n- 2\n", []),
    "no_yaml": ("a: [1, 2\nb: }", []),
    "an_object": ("!!python/object/apply:os.system ['true']", []),
    "deep": ("[" * 1000, []),
}


@pytest.mark.parametrize(("text", "says"), YAMLS.values(), ids=YAMLS)
def test_a_bad_yaml_is_one_clear_error(tmp_path: Path, text: str, says: list[str]) -> None:
    path = with_yaml(tmp_path / "vox-cpk.pth.tar", text)
    shape = any("shape" in part or part == "kp_detector" for part in says)
    assert_complaint(lambda: loaded(path), *says, "vox-cpk.pth.tar" if shape else "vox-cpk.yaml")
