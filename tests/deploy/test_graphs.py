"""Every architecture's graphs, as programs of `torch.export` and in ONNX Runtime, for batches of any size.

Converting to ONNX takes long, so one of each kind is: FOMM's in `test_export.py`, by way of the command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from first_order_motion.core.types import Animator
from first_order_motion.deploy.graphs import GraphExample, graphs_of
from first_order_motion.deploy.onnx_file import exported, to_onnx
from first_order_motion.deploy.onnx_loading import open_graph, providers_for
from first_order_motion.module_mrfa.animator import MRFAAnimator
from first_order_motion.module_spline.thin_plate import SOLVE, eliminate, system
from support.architectures import FILES, SIDE, TINY, one_thread, seeded, tiny
from torch import Tensor
from torch.export import ExportedProgram

pytestmark = pytest.mark.slow

ONE_OF_EACH = ["articulate", "partswap_first_order", "spline", "mrfa_like_celebvhq", "fsrt"]
OTHERS = [name for name in TINY if name not in ONE_OF_EACH]
OPTIONAL = {"articulate": {"avd"}, "spline": {"avd"}, "mrfa_like_celebvhq": {"background"}}
NEAR = {"rtol": 0, "atol": 1e-4}
SAME = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


@cache
def model(name: str) -> Animator:
    """The tiny model, or one with fewer layers where converting that would take very long."""
    if name != "mrfa_like_celebvhq":
        return tiny(name)
    full = FILES["module_mrfa"].MRFA_LIKE_CELEBVHQ
    config = replace(
        full,
        encoder=replace(full.encoder, modules=1, depth=1),
        dense_motion=replace(full.dense_motion, num_blocks=1),
        structure=replace(full.structure, num_blocks=1),
    )
    return seeded(MRFAAnimator(config))


def programs(name: str) -> list[tuple[GraphExample, ExportedProgram]]:
    return [(example, exported(example)) for example in graphs_of(model(name), SIDE)]


def examples(name: str, count: int) -> dict[str, GraphExample]:
    return {example.name: example for example in graphs_of(model(name), SIDE, count)}


def results(example: GraphExample) -> tuple[Tensor, ...]:
    return example.graph(*example.tensors.values())


def check_programs(name: str, made: list[tuple[GraphExample, ExportedProgram]]) -> None:
    runs = {example.name: program.module() for example, program in made}
    for count in (1, 2, 5):
        for graph, example in examples(name, count).items():
            torch.testing.assert_close(runs[graph](*example.tensors.values()), results(example), **SAME)


@pytest.mark.parametrize("name", OTHERS)
def test_programs(name: str) -> None:
    check_programs(name, programs(name))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_onnx(name: str) -> None:
    made = programs(name)
    check_programs(name, made)
    assert {example.name for example, _ in made} == {"motion", "prepare", "render"} | OPTIONAL.get(name, set())
    sessions = {}
    for example, program in made:
        content = to_onnx(program, example, {"version": "1"}).SerializeToString()
        sessions[example.name] = open_graph(content, Path(example.name), providers_for("cpu"), 1)
    for count in (1, 4):
        for graph, example in examples(name, count).items():
            session = sessions[graph]
            fed = {entry.name: example.tensors[entry.name].numpy() for entry in session.get_inputs()}
            got = session.run(list(example.graph.outputs), fed)
            for part, wanted in zip(got, results(example), strict=True):
                torch.testing.assert_close(torch.from_numpy(part), wanted, **NEAR)


def test_elimination_solves_what_the_solver_does() -> None:
    """Also where points lie close together, and where the largest entry is never on the diagonal."""
    generator = torch.Generator().manual_seed(3)
    for spread in (1.0, 0.1, 1e-3):
        matrix = system(spread * torch.randn(200, 5, 2, generator=generator, dtype=torch.float64))
        values = torch.randn(200, 8, 2, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(eliminate(matrix, values), SOLVE(matrix, values)[0], rtol=1e-9, atol=1e-9)
    turned = torch.eye(8, dtype=torch.float64).roll(1, 0)[None]
    values = torch.randn(1, 8, 2, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(turned @ eliminate(turned, values), values)
