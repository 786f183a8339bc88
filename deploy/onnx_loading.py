"""Loading of exported graphs for `onnx_animator.py`: their seal, what they say of themselves, and what they exchange.

A graph's file ends in a seal, the SHA-256 of all bytes before it, as one more entry of the metadata: the file remains
an ONNX file, and what is damaged or changed is refused before ONNX Runtime reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

if __package__:
    from .onnx_media import OnnxError
else:  # copied elsewhere
    from onnx_media import OnnxError

FORMAT = "1"
GRAPHS = MOTION, PREPARE, RENDER = ("motion", "prepare", "render")
AVD, BACKGROUND = OPTIONAL = ("avd", "background")
STANDARD, RELATIVE = "standard", "relative"
MODES = (STANDARD, RELATIVE, AVD)
SOURCE, PREPARED, POSED = "source", "prepared.", "posed."
FRAMES, PICTURES, QUERIES, COLOURS = "frames", "pictures", "queries", "colours"
POINTS, JACOBIANS = "points", "jacobians"
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
FAULTS = (
    faults.EPFail, faults.Fail, faults.InvalidArgument, faults.InvalidGraph, faults.InvalidProtobuf, faults.NoModel,
    faults.NotImplemented, faults.RuntimeException,
)  # fmt: skip
MOST_THREADS = 1024
LARGEST_SIZE = 8192
# An entry of `metadata_props` in protobuf: field 14 of a model, in it the key, field 1, and the value, field 2.
SEAL_KEY: Final = b"sha256"
SEAL_TEXT: Final = 64
SEAL_START: Final = bytes([14 << 3 | 2, 2 + len(SEAL_KEY) + 2 + SEAL_TEXT, 1 << 3 | 2, len(SEAL_KEY)]) + SEAL_KEY
SEAL_HEAD: Final = SEAL_START + bytes([2 << 3 | 2, SEAL_TEXT])

Sessions = dict[str, onnxruntime.InferenceSession]


@dataclass(frozen=True)
class Facts:
    """Facts that a graph states in its metadata, checked; those of one export differ in `graph` alone."""

    graph: str
    architecture: str
    name: str
    export: str
    size: int
    modes: tuple[str, ...]
    graphs: tuple[str, ...]
    pose_extras: tuple[str, ...]
    unsigned_frames: bool
    keeps_pose: bool

    @classmethod
    def read(cls, metadata: Mapping[str, str], graph: str, path: Path) -> Facts:
        """Read the metadata of a graph, of which messages name the path. Raises OnnxError."""

        def fact(key: str, wanted: str, good: Callable[[str], bool]) -> str:
            value = metadata.get(key)
            if value is None or not good(value):
                came = "is not stated" if value is None else f"is {value[:40]!r}"
                raise OnnxError(f"{path}: its {key} {came}; {wanted} was wanted. Export the model again.")
            return value

        def flag(key: str) -> bool:
            return fact(key, "0 or 1", {"0", "1"}.__contains__) == "1"

        def names(key: str, wanted: str, good: Callable[[set[str]], bool]) -> tuple[str, ...]:
            return _split(fact(key, wanted, lambda text: good(set(_split(text)))))

        modes = names("modes", f"some of {', '.join(MODES)}", lambda found: bool(found) and found <= {*MODES})
        every = f"{', '.join(GRAPHS)} and perhaps {' and '.join(OPTIONAL)}"
        graphs = names("graphs", every, lambda found: {*GRAPHS} <= found <= {*GRAPHS, *OPTIONAL})
        if (AVD in modes) != (AVD in graphs):
            raise OnnxError(f"{path}: its modes and graphs disagree about {AVD}. Export the model again.")
        return cls(
            graph,
            fact("architecture", "its id", bool),
            fact("name", "that of an architecture", bool),
            fact("export", "a mark of 16 hexadecimal digits", _is_mark),
            int(fact("size", f"a side of 1 to {LARGEST_SIZE} pixels", _is_size)),
            modes,
            graphs,
            names("pose_extras", "a list of names", lambda _: True),
            flag("unsigned_frames"),
            flag("keeps_pose"),
        )


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_SIZE)) and 1 <= int(text) <= LARGEST_SIZE


def _is_mark(text: str) -> bool:
    return len(text) == 16 and {*text} <= {*"0123456789abcdef"}


def sealed(content: bytes) -> bytes:
    """Put the seal at the end of a graph's bytes."""
    return content + SEAL_HEAD + hashlib.sha256(content).hexdigest().encode()


def load_graphs(folder: Path, device: str, threads: int | None) -> tuple[Sessions, Facts]:
    """Open the graphs in a folder, for one of PROVIDERS. Raises OnnxError for what cannot be used."""
    providers, sessions = providers_for(device), Sessions()
    first: Facts | None = None
    for name in (*GRAPHS, *OPTIONAL):
        path = folder / f"{name}.onnx"
        if name in OPTIONAL and first and name not in first.graphs:
            continue
        sessions[name] = open_graph(_content(path), path, providers, threads)
        found = _facts(path, name, sessions[name])
        first = first or found
        _refuse_others(path, found, first)
    assert first is not None  # as there are GRAPHS
    _check_exchange(folder, sessions, first)
    return sessions, first


def providers_for(device: str) -> list[str]:
    """Name ONNX Runtime's providers for a device: its own, and the CPU's for what that one lacks."""
    known = onnxruntime.get_available_providers()
    usable = [name for name, provider in PROVIDERS.items() if provider in known]
    if device not in usable:
        what = f"this ONNX Runtime offers {', '.join(usable)}"
        raise OnnxError(f"device is {device!r}; {what}. Choose one of these, or install the build that has it.")
    return list(dict.fromkeys([PROVIDERS[device], PROVIDERS["cpu"]]))


def _content(path: Path) -> bytes:
    """Read a file whole, as a graph that is opened from its bytes can refer to no other file, and check its seal."""
    if path.exists() and not path.is_file():  # of a pipe the end may never come
        raise OnnxError(
            f"{path} is a folder, a pipe or a device; an exported graph was wanted. Export the model again."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OnnxError(f"{path} cannot be read ({error.strerror}). Export the model again.") from error
    end = len(content) - len(SEAL_HEAD) - SEAL_TEXT
    if end < 0 or not content.startswith(SEAL_HEAD, end):
        raise OnnxError(
            f"{path} does not end in the seal of animate.py export: it is cut off, changed or made by another program. "
            "Export the model again."
        )
    if content != sealed(content[:end]):
        raise OnnxError(f"{path} is damaged or was changed: its SHA-256 is another. Export the model again.")
    return content


@contextmanager
def _reading(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except (*FAULTS, UnicodeDecodeError) as error:  # the latter for names that are no text
        raise OnnxError(f"{path} is damaged, or no graph that ONNX Runtime knows. Export the model again.") from error


def open_graph(
    content: bytes, path: Path, providers: list[str], threads: int | None = None
) -> onnxruntime.InferenceSession:
    """Open a graph, of which messages name the path."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # what is wrong is said by the exceptions
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise OnnxError(f"threads is {threads!r}; 1 to {MOST_THREADS} was wanted. Leave it out for all.")
        settings.intra_op_num_threads = threads
    with _reading(path):
        session = onnxruntime.InferenceSession(content, settings, providers=providers)
        _ = inputs_of(session), outputs_of(session)  # names that are no text are noticed when they are asked for
    if session.get_providers()[0] != providers[0]:
        raise OnnxError(f"{providers[0]} cannot be used here: its driver or libraries are missing. Choose the CPU.")
    return session


def _facts(path: Path, name: str, session: onnxruntime.InferenceSession) -> Facts:
    """Return what a graph says of itself. Raises OnnxError for one that was not exported to be this graph."""
    with _reading(path):
        found = session.get_modelmeta().custom_metadata_map
    if "format" not in found or "graph" not in found:
        raise OnnxError(f"{path} was not made by animate.py export. Export the model with it.")
    if found["format"] != FORMAT:
        raise OnnxError(f"{path} is of export format {found['format']!r}; {FORMAT} was wanted. Export the model again.")
    if found["graph"] != name:
        raise OnnxError(f"{path} is the graph {found['graph']!r}; {name!r} was wanted. Export the model again.")
    return Facts.read(found, name, path)


def _refuse_others(path: Path, found: Facts, first: Facts) -> None:
    """Raise OnnxError for a graph that is not of the same export as the first."""
    if (found.architecture, found.name) != (first.architecture, first.name):
        raise OnnxError(
            f"{path} is a graph of {found.name} ({found.architecture}), and motion.onnx beside it one of {first.name} "
            f"({first.architecture}). Export all of them together."
        )
    if replace(found, graph=first.graph) != first:
        raise OnnxError(f"{path} is of another export than motion.onnx beside it. Export them together.")


def _check_exchange(folder: Path, sessions: Sessions, facts: Facts) -> None:
    """Raise OnnxError for a graph that asks for what none gives, or does not give what it is for."""
    pose = {*outputs_of(sessions[MOTION])}
    own = {f"{SOURCE}.{name}" for name in pose}
    state = own | {*outputs_of(sessions[PREPARE])}
    queries = {QUERIES} if QUERIES in inputs_of(sessions[RENDER]) else set[str]()
    wanted = {
        MOTION: ({FRAMES}, {POINTS, *facts.pose_extras}),
        PREPARE: ({SOURCE} | own, set[str]()),
        RENDER: (pose | state | {*facts.graphs} & {BACKGROUND} | queries, {COLOURS if queries else PICTURES}),
        AVD: (pose | state, {POSED + POINTS}),
        BACKGROUND: (pose | state, {BACKGROUND}),
    }
    for name, session in sessions.items():
        given, needed = wanted[name]
        foreign, missing = {*inputs_of(session)} - given, needed - {*outputs_of(session)}
        if foreign or missing:
            what = f"asks for {min(foreign)!r}, which none gives" if foreign else f"does not give {min(missing)!r}"
            raise OnnxError(f"{folder / f'{name}.onnx'} {what}. Export the model again.")
    sides = [side for entry in sessions[MOTION].get_inputs() for side in entry.shape[-2:]]
    if sides != [facts.size, facts.size]:
        raise OnnxError(
            f"{folder / 'motion.onnx'} takes pictures of {' by '.join(map(str, sides))}, and states the size "
            f"{facts.size}. Export the model again."
        )


def inputs_of(session: onnxruntime.InferenceSession) -> list[str]:
    """Name what a graph takes."""
    return [entry.name for entry in session.get_inputs()]


def outputs_of(session: onnxruntime.InferenceSession) -> list[str]:
    """Name what a graph gives."""
    return [entry.name for entry in session.get_outputs()]
