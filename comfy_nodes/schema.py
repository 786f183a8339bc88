"""Schemas of nodes, as far as they are alike, and the base class that words errors for the interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from typing import Any, cast

from comfy_api.v0_0_2 import io

from ..core.errors import FirstOrderError

CATEGORY = "FirstOrderMM"
OPTIONS = io.Custom("FOM_OPTIONS")
"""Wire from the options nodes to runners, with a value of `SharedOptions`."""

SEARCHABLE = any(field.name == "search_aliases" for field in fields(io.Schema))
"""Older versions of ComfyUI know no other words by which a node is found than its names."""

ANIMATE_WORDS = (
    *("animate", "animate portrait", "portrait", "talking head", "lip sync", "reenact", "face reenactment"),
    *("motion transfer", "image to video", "puppet", "first order motion"),
)
"""Words by which people look for nodes that animate."""


class FirstOrderMotionError(Exception):
    """Error of this pack, as the interface shows it: this name, and the message."""


# ComfyUI shows the module of an error's class before its name, which would be the path of this pack's folder.
FirstOrderMotionError.__module__ = "builtins"


class Node(io.ComfyNode):
    """Base class of all nodes of this pack, whose errors reach the interface as `FirstOrderMotionError`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("execute")
        if isinstance(own, classmethod):
            execute = cast("Callable[..., Any]", own.__func__)
            if not hasattr(execute, "__wrapped__"):  # as that of the copies is, which ComfyUI makes of classes
                cls.execute = classmethod(_worded(execute))


def _worded(execute: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(execute)
    def worded(*args: Any, **kwargs: Any) -> Any:
        try:
            return execute(*args, **kwargs)
        except FirstOrderError as error:
            raise FirstOrderMotionError(str(error)) from error

    return worded


def make_schema(
    node_id: str,
    display_name: str,
    description: str,
    inputs: Sequence[io.Input],
    outputs: Sequence[io.Output],
    aliases: Sequence[str] = (),
    **more: Any,
) -> io.Schema:
    """Make the schema of a node in this pack's category; `aliases` are further words by which a search finds it."""
    if SEARCHABLE:
        more["search_aliases"] = list(aliases)
    return io.Schema(
        node_id=node_id,
        display_name=display_name,
        category=CATEGORY,
        description=description,
        inputs=list(inputs),
        outputs=list(outputs),
        **more,
    )


def mark_advanced(widget: io.Input) -> io.Input:
    """Mark an input as advanced: folded away by newer frontends themselves, by `web/fold.js` on the classic canvas."""
    widget.extra_dict = {"advanced": True}
    return widget
