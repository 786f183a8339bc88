"""CUDA graphs: a function's kernels are recorded once and launched together, which spares the CPU's time per kernel.

Inputs are copied into the places that were recorded, results out of them. Whatever cannot be recorded runs as it is.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Tensors = Mapping[str, Tensor]
Function = Callable[[Tensors], Tensors]
Capture = Callable[[Callable[[], Tensors]], tuple[Tensors, Callable[[], None]]]
"""Recorder of a call: returns the tensors that the call's results lie in, and a function that runs it again."""

MOST_GRAPHS = 4  # shapes that are kept; each holds the memory of a whole pass
WARM_UPS = 3  # passes before the recording, in which libraries choose their kernels


@functools.cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """Make a device's one stream for warm-ups and recordings: for each stream that they use, libraries keep memory."""
    return torch.cuda.Stream(device)


def capture_on_cuda(call: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
    """Record a call without arguments on the current CUDA device. Raises RuntimeError where that cannot be done."""
    stream = _side_stream(torch.cuda.current_device())
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        results = call()
    return results, graph.replay


@dataclass(frozen=True, slots=True)
class _Recording:
    """Recorded pass: the tensors that it reads, those that it writes, and the function that runs it."""

    inputs: Tensors
    results: Tensors
    replay: Callable[[], None]


class GraphedFunction:
    """Function of named tensors that is recorded for each set of shapes, and replayed from then on.

    After the first failure to record, it runs unrecorded; so it does for further shapes once MOST_GRAPHS are kept.
    """

    def __init__(self, function: Function, capture: Capture = capture_on_cuda) -> None:
        self._function, self._capture = function, capture
        self._recordings: dict[Hashable, _Recording] = {}
        self._works = True

    def __call__(self, inputs: Tensors) -> Tensors:
        """Return what the function makes of the tensors, in tensors of their own."""
        key = tuple((name, value.shape, value.dtype, value.stride()) for name, value in sorted(inputs.items()))
        recording = self._recordings.get(key)
        if recording is None and self._works and len(self._recordings) < MOST_GRAPHS:
            recording = self._record(key, inputs)
        if recording is None:
            return self._function(inputs)
        for name, place in recording.inputs.items():
            place.copy_(inputs[name])
        recording.replay()
        return {name: result.clone() for name, result in recording.results.items()}

    def _record(self, key: Hashable, inputs: Tensors) -> _Recording | None:
        places = {name: value.clone() for name, value in inputs.items()}
        try:
            results, replay = self._capture(lambda: self._function(places))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("CUDA graphs cannot be used here (%s); going on without them.", str(error).splitlines()[0])
            self._works = False
            return None
        self._recordings[key] = _Recording(places, results, replay)
        return self._recordings[key]
