"""Architectures are told by keys alone, and a wrong file is told what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from first_order_motion.animation.registry import KINDS, architectures, expect, identify, refuse_unaccepted
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.weights.architecture import RESTRICTED, Architecture
from first_order_motion.core.weights.checkpoint import Checkpoint

Keys = dict[str, list[str]]
TOY = "toy"  # an architecture that is there for tests alone
OURS = [name for name in KINDS if name != TOY]

HOURGLASS = ["predictor.encoder.down_blocks.0.conv.weight", "predictor.decoder.up_blocks.0.conv.weight"]
GENERATOR = ["first.conv.weight", "down_blocks.0.conv.weight", "bottleneck.r0.conv1.weight", "final.weight"]
DENSE = ["dense_motion_network.hourglass.encoder.down_blocks.0.conv.weight", "dense_motion_network.mask.weight"]
RESNET = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer1.1.conv1.weight", "layer4.1.conv2.weight"]
PARSER = [f"cp.resnet.{key}" for key in RESNET]
MRFA = [
    "encoder.pre_feature.conv1.weight",
    "dense_motion.mask.weight",
    "decoder.generator.first.conv.weight",
    "down.weight",
]
AVD = ["id_encoder.0.weight", "decoder.9.bias"]

FILES: dict[str, tuple[str, Keys]] = {
    "vox-cpk": (
        "fomm",
        {"generator": GENERATOR + DENSE, "kp_detector": [*HOURGLASS, "kp.weight", "jacobian.weight", "down.weight"]},
    ),
    "drawn-faces": (
        "drawn",
        {
            "generator": [*GENERATOR, *DENSE, "blend.weight", "dense_motion_network.parts.maps.weight"],
            "kp_detector": [*HOURGLASS, "kp.weight", "jacobian.weight"],
        },
    ),
    "no jacobian": ("fomm", {"generator": GENERATOR + DENSE, "kp_detector": [*HOURGLASS, "kp.weight"]}),
    "part swap, own layout": (
        "partswap",
        {
            "reconstruction_module": GENERATOR,
            "segmentation_module": [*HOURGLASS, "segmentation.weight", "shift.weight", "affine.weight"],
        },
    ),
    "part swap, FOMM's layout": (
        "partswap",
        {"generator": GENERATOR, "kp_detector": [*HOURGLASS, "kp.weight", "jacobian.weight", "semantic_seg.weight"]},
    ),
    "vox-first-order": (
        "partswap",
        {"generator": GENERATOR + DENSE, "kp_detector": [*HOURGLASS, "kp.weight", "semantic_seg.weight"]},
    ),
    "vox256, articulated": (
        "articulate",
        {
            "generator": [*GENERATOR, "pixelwise_flow_predictor.hourglass.encoder.down_blocks.0.conv.weight"],
            "region_predictor": [*HOURGLASS, "regions.weight", "down.weight"],
            "bg_predictor": ["encoder.down_blocks.0.conv.weight", "fc.bias"],
            "avd_network": AVD,
        },
    ),
    "mgif256, articulated": (
        "articulate",
        {"generator": ["pixelwise_flow_predictor.mask.weight"], "region_predictor": ["regions.weight"]},
    ),
    "spline": (
        "spline",
        {
            "inpainting_network": ["first.conv.weight", "resblock.0.conv1.weight"],
            "dense_motion_network": ["down.weight", "hourglass.encoder.down_blocks.0.conv.weight", "maps.weight"],
            "kp_detector": ["fg_encoder.conv1.weight", "fg_encoder.fc.weight"],
            "bg_predictor": ["bg_encoder.conv1.weight"],
            "avd_network": AVD,
        },
    ),
    "mrfa": ("mrfa", {"model": [*MRFA, "vgg.slice1.0.weight"]}),
    "mrfa, unwrapped": ("mrfa", {"": MRFA}),
    "fsrt": (
        "fsrt",
        {
            "encoder": ["conv_blocks.0.layers.0.weight", "transformer.layers.0.0.norm.weight"],
            "decoder": ["allocation_transformer.input_mlp.0.weight", "render_mlp.0.weight"],
            "expression_encoder": ["expression.weight", "expression_mlp.0.weight"],
        },
    ),
    "kp_detector.pt": ("fsrt_keypoints", {"": [*HOURGLASS, "kp.weight", "kp.bias", "down.weight"]}),
    "79999_iter": ("face_parsing", {"": [*PARSER, "ffm.conv1.weight", "conv_out.conv.conv.weight"]}),
    "resnet18": ("resnet18", {"": [*RESNET, "fc.weight", "fc.bias"]}),
}

STRANGERS: dict[str, Keys] = {
    "resnet34": {"": [*RESNET, "layer1.2.conv1.weight", "fc.weight"]},
    "generator without motion": {"generator": GENERATOR, "kp_detector": [*HOURGLASS, "kp.weight"]},
    "half a FOMM": {"generator": GENERATOR + DENSE},
    "other": {"": ["model.diffusion_model.weight", "first_stage_model.weight"]},
}


def checkpoint(keys: Keys) -> Checkpoint:
    tensor = torch.zeros(1)
    return Checkpoint(Path("file.pth"), {name: dict.fromkeys(state, tensor) for name, state in keys.items()})


@pytest.mark.parametrize("file", FILES)
def test_each_file_is_one_architecture(file: str) -> None:
    wanted, keys = FILES[file]
    found = checkpoint(keys)
    assert identify(found) is KINDS[wanted]
    assert [row.id for row in KINDS.values() if row.matches(found)] == [wanted]
    assert expect(found, wanted).id == wanted


@pytest.mark.parametrize("file", STRANGERS)
def test_strangers_are_not_mistaken(file: str) -> None:
    found = checkpoint(STRANGERS[file])
    assert identify(found) is None
    with pytest.raises(CheckpointError, match=r"file\.pth is of no architecture .*FOMM.* are needed"):
        expect(found, "fomm")


def test_every_architecture_is_tested() -> None:
    assert {wanted for wanted, _ in FILES.values()} == {*OURS}


def test_fomm_files_serve_part_swap_but_not_the_reverse() -> None:
    assert expect(checkpoint(FILES["vox-cpk"][1]), "partswap").id == "partswap"
    with pytest.raises(CheckpointError):
        expect(checkpoint(FILES["vox-first-order"][1]), "fomm")


@pytest.mark.parametrize("wanted", OURS)
@pytest.mark.parametrize("file", FILES)
def test_a_wrong_file_is_told_what_it_is(file: str, wanted: str) -> None:
    actual, keys = FILES[file]
    if wanted == actual or (actual, wanted) in (("fomm", "partswap"), ("drawn", "fomm")):
        return
    names = KINDS
    with pytest.raises(CheckpointError) as caught:
        expect(checkpoint(keys), wanted)
    message = str(caught.value)
    assert f"holds {names[actual].name} weights" in message
    assert f"{names[wanted].name} weights are needed" in message
    assert (names[actual].advice or f"belongs to {names[actual].name}") in message
    assert "\n" not in message


def test_the_bundled_network_is_fomms_relative() -> None:
    found = checkpoint(FILES["drawn-faces"][1])
    assert expect(found, "fomm") is expect(found, "drawn") is KINDS["drawn"]


@pytest.mark.parametrize("row", architectures().values(), ids=architectures())
def test_options_that_an_architecture_does_not_accept_are_refused_by_name(row: Architecture) -> None:
    refuse_unaccepted(row, row.options)
    for option in RESTRICTED - row.options:
        with pytest.raises(InputError, match=f"{option} was given; .*does not take it"):
            refuse_unaccepted(row, [*row.options, option])
