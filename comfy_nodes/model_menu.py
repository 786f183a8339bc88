"""Menu of models of every architecture, for nodes that are not one architecture's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from comfy_api.v0_0_2 import io

from ..animation.find_model import DEFAULT_MODEL, menu_entry
from ..animation.registry import architectures
from ..core.weights.catalog import MODEL_FOLDER
from ..core.weights.find import WeightFiles, WeightsRequest
from .inputs import IF_MISSING, if_missing, look_up_choice
from .runtime import folders, weights
from .schema import FirstOrderMotionError, Node

OWN_NODES = frozenset({"partswap"})  # it animates nothing without a choice of parts


@cache
def published_models() -> Mapping[str, tuple[str, str]]:
    """Return every published model by its entry in menus: the ids of architectures with the names of weights.

    The bundled model comes first, under its name alone; others share names, so that theirs say which architecture.
    """
    pairs = [(row.id, weights.name) for row in architectures().values() for weights in row.published]
    offered = sorted((pair for pair in pairs if pair[0] not in OWN_NODES), key=lambda pair: pair[1] != DEFAULT_MODEL)
    return {menu_entry(*pair): pair for pair in offered}


def model_inputs() -> list[io.Input]:
    """Make the menu of models, published ones and files, and the choice to download a missing one."""
    return [
        io.Combo.Input(
            "model",
            options=[*published_models(), *folders.own_weight_files()],
            default=DEFAULT_MODEL,
            tooltip="Which model: the bundled one for drawn faces, published weights by name and architecture, or a "
            f"file of your own in models/{MODEL_FOLDER}, whose architecture is read off it.",
        ),
        if_missing(*architectures()),
    ]


def find_files(model: str, missing: str) -> WeightFiles:
    """Find the files of a model that was chosen in the menu; see `weights.find` and `weights.find_by_content`."""
    chosen = published_models().get(model)
    if chosen is None:
        return weights.find_by_content(model)
    return weights.find(chosen[0], published_request(chosen[1], missing))


def published_request(name: str, missing: str) -> WeightsRequest:
    """Make the request for published weights."""
    return WeightsRequest(name, download=look_up_choice("if_missing", missing, IF_MISSING))


def fingerprint(model: str) -> str:
    """Return a text that changes with the weight file, so that a node runs again."""
    chosen = published_models().get(model)
    if chosen is None:
        return weights.fingerprint_by_content(model)
    return weights.fingerprint(chosen[0], WeightsRequest(chosen[1]))


def _entry(name: str, value: object) -> str:
    """Return the entry of a menu; raises FirstOrderMotionError for what can be none."""
    if not isinstance(value, str):
        raise FirstOrderMotionError(f"{name} is {value!r}; a text was wanted. Choose one from the menu.")
    return value


class ModelNode(Node):
    """Base class of nodes with a menu of models."""

    @classmethod
    def validate_inputs(cls, model: object = None, if_missing: object = None) -> bool:
        """Check that weights are there, before anything is decoded; naming inputs switches list checks off."""
        if model is None or if_missing is None:
            return True  # comes over a wire, once other nodes have run
        model, if_missing = _entry("model", model), _entry("if_missing", if_missing)
        chosen = published_models().get(model)
        if chosen is None:
            return weights.check_file_there(model)
        return weights.check_there((chosen[0], published_request(chosen[1], if_missing)))

    @classmethod
    def fingerprint_inputs(cls, model: str = "", **_: object) -> str:
        """Return a text that changes with the weight file, so that the node runs again."""
        return fingerprint(model)
