"""Descriptions of networks: where they are read from, and what is refused in them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import Checkpoint, State
from first_order_motion.core.weights.config import (
    WIDEST,
    Description,
    apply_load_options,
    check_limits,
    describe,
    fill,
    from_metadata,
    refuse_unknown,
    to_metadata,
)
from first_order_motion.module_articulate import config as articulate
from first_order_motion.module_fomm import config as fomm
from first_order_motion.module_fsrt import config as fsrt
from first_order_motion.module_mrfa import config as mrfa
from first_order_motion.module_partswap import config as partswap
from first_order_motion.module_spline import config as spline


@dataclass(frozen=True)
class Part:
    width: int = 8
    depth: int = 2
    scale_factor: float = 0.25
    temperature: float = 0.1


@dataclass(frozen=True)
class Config:
    num_kp: int = 10
    part: Part = Part()
    flag: bool = True
    sigma: float | None = None
    align_corners: bool = False

    def at_scale(self, scale_factor: float) -> Config:
        return replace(self, part=replace(self.part, scale_factor=scale_factor))


BOUNDS = {"depth": (0, 4), "num_kp": (5, 5000)}
OTHER = Config(num_kp=12, part=Part(width=16, scale_factor=0.5), flag=False, sigma=1.5)


def from_published(published: Mapping[str, Any]) -> Config:
    return Config(num_kp=published["num_kp"], part=fill(Part, published["part"], "part", scale_factor=1))


def from_states(states: Mapping[str, State]) -> Config:
    return Config(num_kp=states["kp"]["weight"].shape[0])


def size_of(checkpoint: Checkpoint, published: Any) -> int:
    return 256 if published is None else published["size"]


TOY = Description("toy", Config, from_published, from_states, size_of, BOUNDS)


def checkpoint(folder: Path, metadata: Mapping[str, str] | None = None, num_kp: int = 7) -> Checkpoint:
    return Checkpoint(folder / "vox.pth.tar", {"kp": {"weight": torch.zeros(num_kp)}}, metadata or {})


def test_tensors_tell_where_nothing_else_does(tmp_path: Path) -> None:
    assert describe(checkpoint(tmp_path), TOY) == (Config(num_kp=7), 256)


def test_a_yaml_comes_before_tensors(tmp_path: Path) -> None:
    (tmp_path / "vox.yaml").write_text("{num_kp: 9, size: 384, part: {width: 4}}")
    expected = Config(num_kp=9, part=Part(width=4, scale_factor=1))
    assert describe(checkpoint(tmp_path), TOY) == (expected, 384)
    assert describe(checkpoint(tmp_path), replace(TOY, from_published=None)) == (Config(num_kp=7), 256)


def test_metadata_come_first(tmp_path: Path) -> None:
    (tmp_path / "vox.yaml").write_text("{num_kp: 9, size: 384, part: {}}")
    found = describe(checkpoint(tmp_path, to_metadata("toy", OTHER, 512)), TOY)
    assert found == (OTHER, 512)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{num_kp: 9, size: 256}", "it lacks part"),
        ("{num_kp: 9, size: 256, part: {speed: 1}}", "unknown setting 'speed'"),
        ("{num_kp: ten, size: 256, part: {}}", "num_kp is 'ten'; a whole number from 5 to 5000 was wanted"),
        ("[", "while parsing"),
        ("", "not subscriptable"),
    ],
)
def test_a_yaml_that_does_not_describe(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "vox.yaml").write_text(text)
    with pytest.raises(CheckpointError) as caught:
        describe(checkpoint(tmp_path), TOY)
    found = str(caught.value)
    assert found.startswith("vox.yaml does not describe a toy: ") and message in found and "\n" not in found


def test_tensors_that_do_not_describe(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"vox\.pth\.tar does not describe a toy: it lacks kp\."):
        describe(replace(checkpoint(tmp_path), components={}), TOY)
    with pytest.raises(CheckpointError, match="num_kp is 4; a whole number from 5 to 5000 was wanted"):
        describe(checkpoint(tmp_path, num_kp=4), TOY)


@pytest.mark.parametrize("config", [Config(), OTHER])
def test_metadata_read_back(config: Config) -> None:
    metadata = to_metadata("toy", config, 384)
    assert metadata["architecture"] == "toy" and json.loads(metadata["config"])["num_kp"] == config.num_kp
    assert from_metadata(Config, metadata) == (config, 384)


GOOD = [
    Config(num_kp=5000),
    Config(part=Part(depth=0, width=WIDEST)),
    Config(part=Part(scale_factor=1)),
    Config(sigma=15.9),
]
BAD: list[tuple[dict[str, object], str]] = [
    ({"num_kp": 5001}, "num_kp is 5001; a whole number from 5 to 5000"),
    ({"num_kp": 10.0}, "num_kp is 10.0; a whole number"),
    ({"num_kp": True}, "num_kp is True; a whole number"),
    ({"num_kp": None}, "num_kp is None; a whole number"),
    ({"part": Part(depth=5)}, "depth is 5; a whole number from 0 to 4"),
    ({"part": Part(width=0)}, "width is 0; a whole number from 1 to 65536"),
    ({"part": Part(width=WIDEST + 1)}, "width is 65537"),
    ({"part": Part(scale_factor=0.3)}, "scale_factor is 0.3; one of 1, 0.5, 0.25, 0.125, 0.0625, 0.03125"),
    ({"part": Part(temperature=-1.0)}, "temperature is -1.0; a positive number"),
    ({"part": Part(temperature=1e-9)}, "temperature is 1e-09; a positive number"),
    ({"sigma": 16.0}, "sigma is 16.0; a positive number"),
    ({"sigma": float("nan")}, "sigma is nan; a positive number"),
    ({"flag": 1}, "flag is 1; true or false"),
]


@pytest.mark.parametrize("config", GOOD)
def test_settings_within_limits(config: Config) -> None:
    check_limits(config, 256, BOUNDS)


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message.split(";")[0] for _, message in BAD])
def test_settings_beyond_limits(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        check_limits(replace(Config(), **changes), 256, BOUNDS)
    assert str(caught.value).startswith(message) and str(caught.value).endswith("was wanted")


@pytest.mark.parametrize("size", [0, -1, 2049, WIDEST])
def test_sizes_beyond_limits(size: int) -> None:
    with pytest.raises(CheckpointError, match=f"size is {size}; a whole number from 1 to 2048 was wanted"):
        check_limits(Config(), size, BOUNDS)


def settings(kind: Any) -> Iterator[tuple[str, object]]:
    for field in fields(kind):
        if is_dataclass(field.default):
            yield from settings(field.default)
        else:
            yield field.name, field.default


@pytest.mark.parametrize(
    ("bounds", "kind"),
    [
        (fomm.BOUNDS, fomm.FOMMConfig),
        (partswap.BOUNDS, partswap.PartSwapConfig),
        (articulate.BOUNDS, articulate.ArticulateConfig),
        (spline.BOUNDS, spline.SplineConfig),
        (mrfa.BOUNDS, mrfa.MRFAConfig),
        (fsrt.BOUNDS, fsrt.FSRTConfig),
    ],
    ids=["fomm", "partswap", "articulate", "spline", "mrfa", "fsrt"],
)
def test_bounds_are_of_settings_there_are(bounds: Mapping[str, tuple[int, int]], kind: type[Any]) -> None:
    numbers = {name for name, default in settings(kind) if type(default) is int}
    assert set(bounds) <= numbers
    check_limits(kind(), 256, bounds)


def test_unknown_settings() -> None:
    refuse_unknown({"a": 1}, {"a", "b"}, "part")
    with pytest.raises(CheckpointError, match=r"part holds the unknown setting 'c'; known are a, b\."):
        refuse_unknown({"d": 1, "c": 2}, {"b", "a"}, "part")
    assert fill(Part, {"width": 3}, "part", width=4, depth=1) == Part(width=3, depth=1)


def test_options_change_what_a_file_says() -> None:
    assert apply_load_options(OTHER, LoadOptions()) == OTHER
    assert apply_load_options(OTHER, LoadOptions(scale_factor=0.125)) == OTHER.at_scale(0.125)
    assert apply_load_options(OTHER, LoadOptions(aligned_sampling=True)) == replace(OTHER, align_corners=True)
    with pytest.raises(InputError, match=r"^scale_factor is 0\.3; one of 1, .* was wanted\.$") as caught:
        apply_load_options(OTHER, LoadOptions(scale_factor=0.3))
    assert caught.value.parameter == "scale_factor"


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 27)) + "num_kp: *a26"
HARMFUL_YAML = {
    "aliases": (BOMB, "YAML alias"),
    "merges": ("a: &a {b: 1}\nnum_kp: 9\npart: {<<: *a}", "YAML alias"),
    "long": ("# " + "x" * 40_000, "more than 32768 bytes"),
    "deep": ("[" * 30_000, "does not describe"),
    "number": (f"{{num_kp: {'9' * 4000}, size: 256, part: {{}}}}", "num_kp is"),
    "text": (f"{{num_kp: {'x' * 4000}, size: 256, part: {{}}}}", "xx…xx"),
    "escapes": ('{num_kp: "\\e[31m\\u202e", size: 256, part: {}}', r"\\x1b\[31m\\u202e"),
    "list": ("{num_kp: [1, 2], size: 256, part: {}}", "num_kp is a list"),
    "date": ("{num_kp: 2020-01-01, size: 256, part: {}}", "num_kp is a date"),
    "tag": ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
    "not_text": ("\x00", "does not describe"),
}


@pytest.mark.parametrize(("text", "says"), HARMFUL_YAML.values(), ids=HARMFUL_YAML)
def test_harmful_yaml(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "vox.yaml").write_text(text)
    assert_refused(lambda: describe(checkpoint(tmp_path), TOY), says)


HARMFUL_METADATA: dict[str, tuple[dict[str, str], str]] = {
    "long": ({"config": " " * 40_000}, "longer than"),
    "digits": ({"config": '{"part": {}, "num_kp": ' + "9" * 30_000 + "}"}, "num_kp is inf"),
    "forty_digits": ({"config": '{"part": {}, "num_kp": ' + "9" * 40 + "}"}, r"num_kp is 1e\+40"),
    "size_digits": ({"size": "9" * 19}, "size is 9999999999999999999"),
    "size_text": ({"size": "9" * 21}, "longer than"),
    "float": ({"config": '{"part": {}, "sigma": 1e300}'}, r"sigma is 1e\+300"),
    "infinite": ({"config": '{"part": {}, "sigma": 1e999}'}, "sigma is inf"),
    "escapes": ({"config": '{"zz\\u001b]0;owned\\u0007": 1}'}, r"unknown setting \'zz\\x1b\]0;owned\\x07\'"),
    "deep": ({"config": '{"a":' * 6000}, "does not describe"),
    "list": ({"config": "[]"}, "Config is a list"),
    "part": ({"config": '{"part": 3}'}, "Part is 3"),
    "no_part": ({"config": "{}"}, "it lacks part"),
}


@pytest.mark.parametrize(("changes", "says"), HARMFUL_METADATA.values(), ids=HARMFUL_METADATA)
def test_harmful_metadata(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    metadata = {**to_metadata("toy", OTHER, 256), **changes}
    assert_refused(lambda: describe(checkpoint(tmp_path, metadata), TOY), says)


def assert_refused(load: Callable[[], object], says: str) -> None:
    """One short line, soon."""
    started = time.process_time()
    with pytest.raises(CheckpointError, match=says) as caught:
        load()
    assert time.process_time() - started < 2
    assert str(caught.value).isprintable() and len(str(caught.value)) <= 300


def test_settings_are_in_bounds_before_they_are_checked_together(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Checked(Config):
        def check(self) -> None:
            if 2**self.part.depth > 8:
                raise ValueError(f"{2**self.part.depth} is too much")

    toy = Description("toy", Checked, None, lambda _states: Checked(), size_of, BOUNDS)
    for depth, says in ((10**18, "depth is 1000000000000000000"), (4, "16 is too much")):
        metadata = to_metadata("toy", replace(Checked(), part=Part(depth=depth)), 256)
        with pytest.raises(CheckpointError, match=says):
            describe(checkpoint(tmp_path, metadata), toy)
