"""Export of a model: its graphs as ONNX files, as programs of `torch.export`, or as both, in a folder."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import inf, isnan
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.export import ExportedProgram

from ..animation.options import AnimateOptions, working_size
from ..core.atomic_file import AtomicFile
from ..core.errors import CheckpointError, InputError
from ..core.inference.rewrites import Form, rewrite
from ..core.installation import pack_version
from ..core.types import Animator
from .graphs import GraphExample, graphs_of
from .onnx_animator import OnnxAnimator
from .onnx_file import PRODUCER, describe, exported, to_half_storage, to_onnx
from .onnx_loading import FORMAT, sealed
from .quantize import Sample, opened, psnr, to_int8

log = logging.getLogger(__name__)

ONNX, PT2, BOTH = FORMATS = ("onnx", "pt2", "both")
FLOAT32, FLOAT16, INT8 = PRECISIONS = ("float32", "float16", "int8")
FOLDED = Form(
    fold=True, upsample_conv=False, channels_last=False, winograd=False, small_output_conv=False, group_norm=False
)
LARGEST_DIFFERENCE = 1e-3  # between ONNX Runtime and PyTorch; more is a fault of the exporter
LEAST_PSNR = 35.0  # dB, of a model with fewer bits
BATCHES = (1, 4)
UNKNOWN = "not stated"


@dataclass(frozen=True, slots=True)
class About:
    """Facts about a model that its graphs are to state: the id of its architecture, its weights and their licence."""

    architecture: str
    weights: str
    licence: str = UNKNOWN


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Choices for an export. `size` is the side in pixels, None for the model's own. Raises InputError."""

    format: str = ONNX
    precision: str = FLOAT32
    size: int | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (("format", self.format, FORMATS), ("precision", self.precision, PRECISIONS)):
            if value not in choices:
                raise InputError(f"is {value!r}; choose one of: {', '.join(choices)}.", name)
        if self.precision != FLOAT32 and self.format != ONNX:
            raise InputError(f"is {self.precision}; pt2 is written in float32. Choose the format onnx.", "precision")


@dataclass(slots=True)
class Report:
    """Outcome of an export: files with their bytes, and by graph the largest difference from PyTorch, in float32.

    `psnr` is that of a model with fewer bits against float32, on the bundled sample.
    """

    files: dict[Path, int] = field(default_factory=dict[Path, int])
    differences: dict[str, float] = field(default_factory=dict[str, float])
    psnr: float | None = None


def export_model(animator: Animator, folder: Path, about: About, options: ExportOptions | None = None) -> Report:
    """Export a newly loaded model, which is used up, into a folder that is there; all files appear at the end.

    Each graph is compared with PyTorch's before it is written. Raises InputError for options that cannot be served,
    CheckpointError for a model that does not come out as it went in, MediaError where nothing can be written.
    """
    options, report = options or ExportOptions(), Report()
    if animator.optimized:
        raise InputError(f"{animator.spec.name} was optimised for running; a newly loaded model was wanted.")
    size = working_size(animator, AnimateOptions(size=options.size))
    rewrite(animator, torch.device("cpu"), FOLDED)
    examples = graphs_of(animator, size)
    metadata = _metadata(animator, about, options, size, examples)
    with ExitStack() as stack:
        files = _files(folder, [example.name for example in examples], options.format)
        for file in files.values():
            stack.callback(file.discard)
        models: dict[str, onnx.ModelProto] = {}
        for example in examples:
            program, own = exported(example), {**metadata, "graph": example.name}
            if options.format != PT2:
                models[example.name] = to_onnx(program, example, own)
            if options.format != ONNX:
                _save_program(program, files[f"{example.name}.pt2"].part, own)
        report.differences = compare(models, metadata, animator, size)
        for name, model in _in_precision(models, metadata, options.precision, report).items():
            files[f"{name}.onnx"].part.write_bytes(sealed(model.SerializeToString()))
        report.files = {file.path: file.part.stat().st_size for file in files.values()}
        for file in files.values():
            file.commit()
    return report


def _files(folder: Path, names: Sequence[str], format_: str) -> dict[str, AtomicFile]:
    suffixes = (ONNX, PT2) if format_ == BOTH else (format_,)
    return {f"{name}.{suffix}": AtomicFile(folder / f"{name}.{suffix}") for name in names for suffix in suffixes}


def _save_program(program: ExportedProgram, part: Path, metadata: Mapping[str, str]) -> None:
    """Save a program, whose weights that the graph does not use are left empty: they are those of other graphs."""
    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    signature = program.graph_signature
    for name, key in {**signature.inputs_to_parameters, **signature.inputs_to_buffers}.items():
        if name not in used and key in program.state_dict:
            kept = program.state_dict[key]
            nothing = torch.empty(0, dtype=kept.dtype)
            program.state_dict[key] = nn.Parameter(nothing, False) if isinstance(kept, nn.Parameter) else nothing
    with part.open("wb") as file:
        torch.export.save(program, file, extra_files={"metadata.json": json.dumps(dict(metadata))})


@torch.no_grad()
def compare(
    models: Mapping[str, onnx.ModelProto], metadata: Mapping[str, str], animator: Animator, size: int
) -> dict[str, float]:
    """Compute each graph's largest difference between ONNX Runtime and PyTorch, for batches of one and of more.

    Raises CheckpointError where it is more than rounding explains.
    """
    found: dict[str, float] = {}
    runner = opened(models, metadata) if models else None
    for count in BATCHES if runner else ():
        for example in graphs_of(animator, size, count):
            difference = _difference(example, runner)  # NaN counts as more than any number
            found[example.name] = max(found.get(example.name, 0.0), inf if isnan(difference) else difference)
    worst = max(found, key=found.__getitem__, default="")
    if worst and not found[worst] <= LARGEST_DIFFERENCE:
        raise CheckpointError(
            f"The graph {worst} of {animator.spec.name} differs from PyTorch's by {found[worst]:.1e} in ONNX Runtime; "
            f"{LARGEST_DIFFERENCE:g} at most was wanted. Try other versions of torch and onnxruntime."
        )
    return found


def _difference(example: GraphExample, runner: OnnxAnimator | None) -> float:
    assert runner is not None
    wanted = example.graph(*(example.tensors[name] for name in example.graph.inputs))
    got = runner.run_graph(example.name, {name: tensor.numpy() for name, tensor in example.tensors.items()})
    pairs = zip(example.graph.outputs, wanted, strict=True)
    return max(float(np.abs(tensor.numpy() - got[name]).max()) for name, tensor in pairs)


def _in_precision(
    models: dict[str, onnx.ModelProto], metadata: Mapping[str, str], precision: str, report: Report
) -> Mapping[str, onnx.ModelProto]:
    """Bring float32 graphs into a precision, and judge them; InputError where too much is lost."""
    if precision == FLOAT32:
        return models
    sample = Sample.read()
    exact = opened(models, metadata)
    if precision == INT8:
        models = to_int8(models, metadata, sample)
    for name, model in models.items():
        to_half_storage(model)
        describe(model, {**metadata, "graph": name})
    report.psnr = psnr(exact, opened(models, metadata), sample)
    if report.psnr < LEAST_PSNR:
        raise InputError(
            f"is {precision}; it keeps {metadata['name']} to {report.psnr:.1f} dB only; {LEAST_PSNR:g} were wanted. "
            "Choose float16 or float32.",
            "precision",
        )
    return models


def _metadata(
    animator: Animator, about: About, options: ExportOptions, size: int, examples: Sequence[GraphExample]
) -> dict[str, str]:
    """Describe an export, as all of its graphs do; "export" tells it from others."""
    spec = animator.spec
    facts = {
        "format": FORMAT,
        "architecture": about.architecture,
        "name": spec.name,
        "weights": about.weights,
        "licence": about.licence,
        "size": str(size),
        "modes": ",".join(spec.modes),
        "precision": options.precision,
        "graphs": ",".join(example.name for example in examples),
        "pose_extras": ",".join(spec.pose_extras),
        "unsigned_frames": str(int(spec.unsigned_frames)),
        "keeps_pose": str(int(spec.keeps_pose)),
        "producer": PRODUCER,
        "version": pack_version(),
    }
    mark = hashlib.sha256(json.dumps(facts).encode())
    for key, tensor in sorted(animator.state_dict().items()):
        mark.update(key.encode())
        mark.update(tensor.cpu().contiguous().numpy().tobytes())
    return {**facts, "export": mark.hexdigest()[:16]}
