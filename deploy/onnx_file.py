"""ONNX files of graphs: made of exported programs, with metadata, and stored in 16 bits."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import cast

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.export import ExportedProgram

from .graphs import GraphExample

OPSET = 18
IR_VERSION = 10  # of the files' container; ONNX Runtime reads it from 1.18 on
SMALL = 256  # numbers; smaller tensors stay in float32, as norms and biases do
LARGEST_HALF = float(np.finfo(np.float16).max)
PRODUCER = "ComfyUI-FirstOrderMM"

EXPORT = cast("Callable[..., torch.onnx.ONNXProgram | None]", torch.onnx.export)  # pyright: ignore[reportUnknownMemberType]


@contextmanager
def quiet() -> Generator[None, None, None]:
    """Keep the exporter's remarks about its own inside from the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@torch.no_grad()
def exported(example: GraphExample) -> ExportedProgram:
    """Export a graph for batches of any size; what would fix their size is an error of PyTorch's."""
    tensors = tuple(example.tensors[name] for name in example.graph.inputs)
    with quiet():
        return torch.export.export(example.graph, tensors, dynamic_shapes=(example.dynamic_shapes(),), strict=False)


def to_onnx(program: ExportedProgram, example: GraphExample, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Write an exported program as ONNX, without the inputs that it makes no use of.

    The exporter's optimizer would take away tiny numbers that keep logarithms finite.
    """
    with quiet():
        made = EXPORT(
            program,
            dynamo=True,
            optimize=False,
            opset_version=OPSET,
            input_names=[*example.graph.inputs],
            output_names=[*example.graph.outputs],
            verbose=False,
        )
    assert made is not None  # with `dynamo` there is a program
    model = made.model_proto
    model.ir_version = min(model.ir_version, IR_VERSION)
    used = {name for node in model.graph.node for name in node.input} | {one.name for one in model.graph.output}
    kept = [entry for entry in model.graph.input if entry.name in used]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    for node in model.graph.node:  # where a layer stands in its author's source
        del node.metadata_props[:]
        node.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    describe(model, metadata)
    return model


def describe(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Put metadata into a model, in the place of others."""
    model.producer_name, model.producer_version = PRODUCER, metadata["version"]
    del model.metadata_props[:]
    helper.set_model_props(model, dict(metadata))


def to_half_storage(model: onnx.ModelProto) -> None:
    """Store the large weights of a model in float16, and have them made float32 again where it is loaded.

    Arithmetic stays what it was. Weights beyond float16's range are left alone.
    """
    casts: list[onnx.NodeProto] = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < SMALL or np.abs(values).max() > LARGEST_HALF:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
