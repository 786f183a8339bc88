"""MRFA's own: weight files, the background, the arithmetic of its lookups, and what it is described by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.registry import load_animator, trim_and_describe
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.types import Animator, LoadOptions
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_mrfa.animator import MRFAAnimator
from first_order_motion.module_mrfa.config import MRFAConfig, from_published, from_state
from first_order_motion.module_mrfa.correlation import SAMPLES, CorrVolume, pyramid_of, sample
from support.architectures import MRFA, SIDE, blobs, driven, one_thread, seeded, source_picture, tiny
from support.optimized import published_form
from torch import Tensor

OWN = AnimateOptions()
POSE = Retargeting("standard")
POSE_AND_BACKGROUND = Retargeting("standard", background=True)
State = dict[str, Tensor]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


# --- the background ---


def shown(name: str, retargeting: Retargeting, batch: int = 8) -> Tensor:
    return driven(published_form(name), source_picture(), blobs(5), AnimateOptions(retargeting, batch=batch))


def test_the_background_moves_where_the_weights_know_how() -> None:
    moved = shown("mrfa_like_celebvhq", POSE_AND_BACKGROUND)
    assert (moved - shown("mrfa_like_celebvhq", POSE)).abs().max() > 0.01
    torch.testing.assert_close(moved, shown("mrfa_like_celebvhq", POSE_AND_BACKGROUND, batch=1), rtol=0, atol=1e-5)


def test_elsewhere_it_stands_still() -> None:
    assert torch.equal(shown("mrfa", POSE_AND_BACKGROUND), shown("mrfa", POSE))
    relative = replace(POSE_AND_BACKGROUND, mode="relative")
    assert torch.equal(shown("mrfa_like_celebvhq", relative), shown("mrfa_like_celebvhq", Retargeting()))
    assert torch.equal(shown("fomm", POSE_AND_BACKGROUND), shown("fomm", POSE))


# --- lookups, written out ---


def between(maps: Tensor, x: float, y: float) -> float:
    """Bilinear, in double precision; nothing outside."""
    height, width = maps.shape
    left, top = int(torch.tensor(x).floor()), int(torch.tensor(y).floor())
    total = 0.0
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        if 0 <= column < width and 0 <= row < height:
            total += float(maps[row, column]) * (1 - abs(x - column)) * (1 - abs(y - row))
    return total


def test_matches_are_those_of_the_definition() -> None:
    generator = torch.Generator().manual_seed(3)
    queries, keys = (torch.randn(n, 4, 8, 8, generator=generator) for n in (2, 1))
    centre = 9 * torch.rand(2, 2, 8, 8, generator=generator) - 1
    got = CorrVolume()(queries, pyramid_of(keys)).lookup(centre)
    assert got.shape == (2, SAMPLES, 8, 8)
    places = [(0, 0, 0, 0, 0, 0), (1, 3, 5, 0, 3, 3), (1, 7, 2, 1, 2, 5), (0, 4, 4, 1, 3, 2)]
    for frame, row, column, level, a, b in places:
        volume = torch.einsum("c,chw->hw", queries[frame, :, row, column].double(), keys[0].double()) / 2
        if level:
            volume = volume.view(4, 2, 4, 2).mean(dim=(1, 3))
        x, y = (centre[frame, :, row, column].double() / 2**level).tolist()
        wanted = between(volume, x + a - 3, y + b - 3)
        assert float(got[frame, 49 * level + 7 * a + b, row, column]) == pytest.approx(wanted, abs=1e-5)


def test_a_flow_is_in_pixels() -> None:
    picture = torch.rand(1, 2, 6, 6)
    right = torch.tensor([2.0, -1.0])[:, None, None].expand(1, 2, 6, 6)
    moved = sample(picture, right)
    torch.testing.assert_close(moved[:, :, 1:, :4], picture[:, :, :5, 2:])
    outside = torch.cat([moved[:, :, 0].flatten(), moved[:, :, :, 4:].flatten()])
    assert outside.abs().max() < 1e-5


# --- weight files ---

TRAINING = {
    "vgg.mean": torch.zeros(1, 3, 1, 1),
    "vgg.slice1.0.weight": torch.zeros(64, 3, 3, 3),
    "vgg.slice5.28.bias": torch.zeros(512),
    "pyramid.downs.1.weight": torch.full((3, 1, 1, 1), torch.nan),
    "pyramid.downs.0-125.weight": torch.zeros(3, 1, 29, 29),
}


def state_of(name: str = "mrfa") -> State:
    return dict(tiny(name).model.state_dict())  # type: ignore[operator, union-attr]


def written(path: Path, state: State) -> Path:
    """The published container: keys as several devices leave them, the optimizer's moments beside them."""
    model = {f"module.{key}": value for key, value in state.items()}
    moments = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 2e-4}]}
    torch.save({"model": model, "optimizer": moments, "epoch": 9}, path)
    return path


def pictures(animator: Any, retargeting: Retargeting = POSE_AND_BACKGROUND) -> Tensor:
    return driven(animator, source_picture(), blobs(2), AnimateOptions(retargeting))


@pytest.fixture(autouse=True)
def _two_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of heads is in no tensor: the tiny models' files are read as theirs."""
    from first_order_motion.module_mrfa import config

    few = config.EncoderConfig
    monkeypatch.setattr(config, "EncoderConfig", lambda **sizes: few(**{"heads": MRFA.encoder.heads, **sizes}))


@pytest.mark.parametrize("name", ["mrfa", "mrfa_like_celebvhq"])
def test_a_published_file_gives_the_same_pictures(tmp_path: Path, name: str) -> None:
    model = load_animator(written(tmp_path / "vox.pth", state_of(name) | TRAINING), "mrfa")
    assert model.config == tiny(name).config
    assert torch.equal(pictures(model), pictures(tiny(name)))


def test_a_bare_state_dict_loads_too(tmp_path: Path) -> None:
    torch.save(state_of(), tmp_path / "mine.pth")
    assert torch.equal(pictures(load_animator(tmp_path / "mine.pth", "mrfa")), pictures(tiny("mrfa")))


def test_constants_may_be_absent(tmp_path: Path) -> None:
    constants = {"down.weight", "dense_motion.down.weight", "encoder.transformer.pos_embedding"}
    state = {key: value for key, value in state_of().items() if key not in constants}
    assert len(state) == len(state_of()) - len(constants)
    assert torch.equal(pictures(load_animator(written(tmp_path / "a.pth", state), "mrfa")), pictures(tiny("mrfa")))


CHANGES: dict[str, tuple[Callable[[State], object], str]] = {
    "extra": (lambda state: state.update({"decoder.extra.weight": torch.zeros(2)}), r"1 unexpected \(decoder\.extra"),
    "extra of the losses": (lambda state: state.update({"vgg.extra": torch.zeros(2)}), r"1 unexpected \(vgg\.extra"),
    "missing": (lambda state: state.pop("decoder.refine.conv1.bias"), r"1 missing \(decoder\.refine\.conv1\.bias"),
    "missing of the background": (
        lambda state: state.pop("bg_predictor.bg_encoder.fc.bias"), r"1 missing \(bg_predictor\.bg_encoder\.fc\.bias"
    ),
    "a missing layer": (
        lambda state: [state.pop(key) for key in [*state] if ".transformer.layers.0." in key], "does not describe"
    ),
    "of another shape": (
        lambda state: state.update({"decoder.kp_head.bias": torch.zeros(3)}), r"decoder\.kp_head\.bias: \(3,\) instead"
    ),
    "not a number": (
        lambda state: state["decoder.kp_head.bias"].fill_(torch.nan), r"not finite \(decoder\.kp_head\.bias"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES)
def test_other_files_are_refused(tmp_path: Path, change: Callable[[State], object], says: str) -> None:
    state = {key: value.clone() for key, value in state_of("mrfa_like_celebvhq").items()} | TRAINING
    change(state)
    with pytest.raises(CheckpointError, match=says) as caught:
        load_animator(written(tmp_path / "celebvhq.pth", state), "mrfa")
    assert "celebvhq.pth" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [LoadOptions(scale_factor=0.25), LoadOptions(aligned_sampling=True)])
def test_options_of_other_weights_are_refused(tmp_path: Path, options: LoadOptions) -> None:
    with pytest.raises(InputError, match="was given; MRFA does not take it"):
        load_animator(written(tmp_path / "vox.pth", state_of()), "mrfa", options)


def test_converting_leaves_training_behind(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(written(tmp_path / "vox.pth", state_of("mrfa_like_celebvhq") | TRAINING))
    trimmed, metadata = trim_and_describe(checkpoint)
    to_safetensors(trimmed, tmp_path / "mrfa-vox.safetensors", metadata=metadata)
    again = read_checkpoint(tmp_path / "mrfa-vox.safetensors")
    assert set(again.components["model"]) == set(state_of("mrfa_like_celebvhq"))
    model = load_animator(tmp_path / "mrfa-vox.safetensors", "mrfa")
    assert model.config == tiny("mrfa_like_celebvhq").config
    assert torch.equal(pictures(model), pictures(tiny("mrfa_like_celebvhq")))


# --- descriptions ---


def published(**changes: Any) -> dict[str, Any]:
    """`vox1.yaml`, as far as it describes the network."""
    hourglass = {"block_expansion": 32, "max_features": 512, "num_blocks": 5}
    raft = {
        "prior_only": False,
        "num_kp": 10,
        "dim": 256,
        "size": 256,
        "generator": {"num_channels": 3, "block_expansion": 64, "max_features": 512, "num_up_blocks": 5},
        "driving_encoder": {"in_features": 10, **hourglass},
        "source_encoder": {"in_features": 13, **hourglass},
    }
    detector = {
        "BASE_CHANNEL": 32, "DIM": 192, "TRANSFORMER_DEPTH": 12, "TRANSFORMER_HEADS": 8, "TRANSFORMER_MLP_RATIO": 3,
        "PATCH_SIZE": [4, 4], "EXTRA": {"STAGE3": {"NUM_MODULES": 4, "NUM_BLOCKS": [4, 4, 4]}},
    }  # fmt: skip
    motion = {"block_expansion": 64, "max_features": 1024, "num_blocks": 5, "scale_factor": 0.25, "num_kp": 10}
    motion |= {"num_channels": 3, "estimate_occlusion_map": True}
    whole = {"train_params": {"prior_model": "mtia", "bg_start": 0}, "mtia_kp_detector": {"MODEL": detector}}
    return whole | {"raft_flow": raft | changes, "dense_motion": motion}


def test_the_published_description_is_the_default() -> None:
    assert from_published(yaml.safe_load(yaml.safe_dump(published()))) == MRFAConfig()


def test_the_default_is_what_published_tensors_say() -> None:
    with torch.device("meta"):
        for config in (MRFAConfig(), MRFAConfig(has_background=True)):
            state = MRFAAnimator(config).model.state_dict()
            assert from_state(state) == replace(config, encoder=replace(config.encoder, heads=MRFA.encoder.heads))
            assert len(state) == (1633 if config.has_background else 1511)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"prior_only": True}, "prior_only"), ({"speed": 2}, "speed"), ({"size": 100}, "100 pixels"), ({"dim": 0}, "dim")],
)
def test_other_descriptions_are_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    (tmp_path / "vox.yaml").write_text(yaml.safe_dump(published(**changes)), "utf-8")
    with pytest.raises(CheckpointError, match=says):
        load_animator(written(tmp_path / "vox.pth", state_of()), "mrfa")


def test_another_prior_is_refused() -> None:
    with pytest.raises(CheckpointError, match="prior_model is 'tpsm'"):
        from_published(published() | {"train_params": {"prior_model": "tpsm"}})


def test_the_size_is_told_by_the_tensors() -> None:
    twice: Animator = seeded(MRFAAnimator(replace(MRFA, size=2 * SIDE)))
    assert from_state(dict(twice.model.state_dict())).size == 2 * SIDE  # type: ignore[operator, union-attr]
    assert driven(twice, source_picture(), blobs(1), OWN).shape == (1, 3, 2 * SIDE, 2 * SIDE)
