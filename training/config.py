"""Configurations of training: YAML files, published ones as they are, ours with the same names and more.

A configuration says which architecture it is for by its `model_params`, or by `architecture`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import yaml

from ..core.errors import InputError, join_names, quote, suggest
from ..core.input_file import open_file
from ..core.output_path import shown
from ..core.weights.config import UNREADABLE, check_limits, reason_of
from ..module_fomm.config import BOUNDS
from ..module_fomm.drawn.config import DrawnConfig
from .bundled import BUNDLED
from .data.dataset import DatasetParams
from .drawn.params import DrawnDataset, DrawnTrainParams
from .families import FAMILIES, Family, ModelParams, family_of
from .objectives.params import DiscriminatorParams
from .settings import Plain, as_section, override, parse_yaml, read_section, refuse_unknown
from .video_params import VideoTrainParams

READY: Final = Path(__file__).resolve().parent / "configs"
"""Folder of the configurations that ship with the pack."""

DRAWN: Final = "drawn"
LARGEST: Final = 2**20  # bytes of a configuration
USUAL_SIZE: Final = 256  # pixels, where the videos decide
SECTION: Final = "_params"  # how the names of sections end
READ: Final = ("architecture", "dataset_params", "model_params", "train_params")
KEPT: Final = ("reconstruction_params", "animate_params", "visualizer_params", "train_avd_params")
"""Sections of published configurations that say nothing about this training."""


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """Configuration of training on videos; `given` is what it was read from."""

    family: Family
    dataset_params: DatasetParams
    model_params: ModelParams
    train_params: VideoTrainParams
    given: Plain


@dataclass(frozen=True, slots=True)
class DrawnRunConfig:
    """Configuration of training on drawn faces."""

    dataset_params: DrawnDataset
    model_params: DrawnConfig
    train_params: DrawnTrainParams
    given: Plain


TrainingConfig = VideoConfig | DrawnRunConfig


def ready_configs() -> list[str]:
    """List the names of the configurations that ship with the pack."""
    return sorted(path.stem for path in READY.glob("*.yaml"))


def find_config(name: str) -> Path:
    """Find a configuration by its path, or one of ours by its name. Raises InputError for any other text."""
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        return path
    if name in ready_configs():
        return READY / f"{name}.yaml"
    raise InputError(
        f"is {shown(path)}; a YAML file was wanted, or one of {join_names(ready_configs(), 12)}. To train the bundled "
        f"model, write: train {DRAWN} {shown(path)}.{suggest(name, ready_configs())}",
        "config",
    )


def read_config(path: Path, changes: Sequence[str] = ()) -> TrainingConfig:
    """Read a configuration with some settings changed, as `train.batch_size=8` does; InputError names what is wrong."""
    try:
        with open_file(path) as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        content = parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{shown(path)} is no YAML ({reason_of(error)}). Correct it.", None) from error
    return parse_config(override(as_section(content, "the configuration"), changes))


def parse_config(given: Mapping[str, object]) -> TrainingConfig:
    """Make a configuration of a parsed YAML."""
    refuse_unknown(given, dict.fromkeys((*READ, *KEPT)), "the configuration")
    for name in KEPT:
        as_section(given.get(name, {}), name)
    model = as_section(given.get("model_params") or {}, "model_params")
    if given.get("architecture") == DRAWN:
        return _drawn(given, model)
    _refuse_empty({"model_params": given.get("model_params", {})})
    family = _family(given.get("architecture"), model)
    dataset = _dataset(given.get("dataset_params"))
    params = read_section(family.params, given.get("train_params"), "train_params")
    return VideoConfig(family, dataset, _model(family, model, dataset), params, dict(given))


def _refuse_empty(sections: Mapping[str, object], place: str = "") -> None:
    """Raise InputError for the first section, in any other, that has no settings at all."""
    for name, value in sections.items():
        if value is None and name.endswith(SECTION):
            raise InputError(f"{place}{name} is empty; settings by name were wanted. Correct the configuration.")
        if isinstance(value, Mapping):
            _refuse_empty(as_section(cast("Mapping[object, object]", value), name), f"{place}{name}.")


def _drawn(given: Mapping[str, object], model: Mapping[str, object]) -> DrawnRunConfig:
    dataset = read_section(DrawnDataset, given.get("dataset_params"), "dataset_params")
    network = read_section(DrawnConfig, model, "model_params") if model else BUNDLED
    try:
        check_limits(network, dataset.size, BOUNDS)
    except UNREADABLE as error:
        raise InputError(f"model_params: {reason_of(error)}. Correct the configuration.") from error
    return DrawnRunConfig(
        dataset, network, read_section(DrawnTrainParams, given.get("train_params"), "train_params"), dict(given)
    )


def _family(named: object, model: Mapping[str, Any]) -> Family:
    found = family_of(model) if named is None else FAMILIES.get(str(named))
    if found is None:
        what = "model_params are of no architecture that trains" if named is None else f"architecture is {quote(named)}"
        raise InputError(f"{what}; {join_names([*FAMILIES, DRAWN])} do. Correct the configuration.")
    return found


def _dataset(given: object) -> DatasetParams:
    """Read `dataset_params`; half of FOMM's published files call `frame_shape` by its older name."""
    values = as_section(given or {}, "dataset_params")
    if "image_shape" in values:
        values.setdefault("frame_shape", values.pop("image_shape"))
    values = {name: value for name, value in values.items() if name != "root_dir" or value is not None}
    if "root_dir" not in values:
        raise InputError("is not given; a folder of videos was wanted. Give it, or set dataset.root_dir.", "data")
    return read_section(DatasetParams, values, "dataset_params")


def _model(family: Family, given: Mapping[str, Any], dataset: DatasetParams) -> ModelParams:
    """Read `model_params`. New weights sample with aligned corners, as the published ones did when they were made."""
    values = dict(given)
    discriminator = values.pop("discriminator_params", None)
    aligned = values.pop("align_corners", True)
    size = USUAL_SIZE if dataset.frame_shape is None else max(dataset.frame_shape[:2])
    try:
        config = family.read(values)
        if hasattr(config, "align_corners"):
            config = replace(config, align_corners=aligned)
        check_limits(config, size, family.bounds)
    except UNREADABLE as error:
        raise InputError(f"model_params: {reason_of(error)}. Correct the configuration.") from error
    critic = None
    if discriminator is not None:
        critic = read_section(DiscriminatorParams, discriminator, "discriminator_params")
    common = cast(Mapping[str, Any], values.get("common_params") or {})
    return ModelParams(config, critic, bool(common.get("bg", True)))


def to_yaml(config: TrainingConfig) -> str:
    """Write the settings of a run, to be used again."""
    return yaml.safe_dump(config.given, sort_keys=False, allow_unicode=True)
