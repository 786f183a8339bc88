"""Leaving the one driver: by the end, by cancel, by an error, and going on when memory runs out."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterator

import pytest
import torch
from first_order_motion.animation.best_frame import find_best_frame
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions, Hooks
from first_order_motion.animation.out_of_memory import is_out_of_memory
from first_order_motion.animation.pipeline import animate
from first_order_motion.core.errors import FirstOrderError
from first_order_motion.core.types import Animator, Prepared
from support.architectures import CPU, driven, every_architecture, one_thread, source_picture, tiny
from support.drivers import SAME, Streamed, Watched, clip_of
from support.optimized import published_form
from torch import Tensor


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


class Stop(Exception):  # noqa: N818 (what ComfyUI raises is no error either)
    """Somebody pressed cancel."""


class Frees:
    """A `free_memory` hook that counts, and looks whether the driver has let go of the source's features."""

    def __init__(self) -> None:
        self.calls = 0
        self.watched: list[weakref.ref[Tensor]] = []
        self.held: list[bool] = []

    def __call__(self) -> None:
        self.calls += 1
        self.held = [ref() is not None for ref in self.watched]


class Forgetful(Watched):
    """Keeps nothing itself; hands weak references of what it prepared to a `Frees`."""

    def __init__(self, animator: Animator, frees: Frees) -> None:
        super().__init__(animator)
        self.frees = frees

    def prepare(self, source: Tensor) -> Prepared:
        prepared = self.animator.prepare(source)
        self.frees.watched = [weakref.ref(feature) for feature in prepared.features.values()]
        return prepared


@every_architecture
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_cancel_stops_within_one_chunk(name: str, chunk: int) -> None:
    watched, frees, checks = Watched(tiny(name)), Frees(), iter(range(1, 100))

    def check_cancelled() -> None:
        if next(checks) == chunk:
            raise Stop

    frames = animate(
        watched, source_picture(), TensorClip(clip_of()), CPU, AnimateOptions(batch=4), Hooks(check_cancelled, frees)
    )
    with pytest.raises(Stop):
        for _ in frames:
            pass
    assert watched.sizes == [4] * (chunk - 1)
    assert frees.calls == 1
    assert next(frames, None) is None


@every_architecture
@pytest.mark.parametrize("way", ["exhaustion", "close", "collection"])
def test_leaving_frees_memory(name: str, way: str) -> None:
    frees = Frees()
    animator, clip = Forgetful(tiny(name), frees), TensorClip(clip_of(4))
    frames = animate(animator, source_picture(), clip, CPU, AnimateOptions(batch=2), Hooks(free_memory=frees))
    next(frames)
    assert frees.calls == 0
    if way == "exhaustion":
        assert len(list(frames)) == 1
    elif way == "close":
        frames.close()
    del frames
    assert frees.calls == 1
    assert frees.held and not any(frees.held)


def fail_with(error: BaseException) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@every_architecture
@pytest.mark.parametrize("place", ["prepare", "motion", "render", "consumer", "clip"])
def test_errors_free_memory_too(name: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, frees, error = Watched(tiny(name)), Frees(), KeyError("a bug")
    clip = Streamed(clip_of(4))
    if place == "clip":
        monkeypatch.setattr(clip, "chunks", fail_with(error))
    elif place != "consumer":
        monkeypatch.setattr(watched, place, fail_with(error))
    frames = animate(watched, source_picture(), clip, CPU, AnimateOptions(batch=2), Hooks(free_memory=frees))
    with pytest.raises(KeyError) as caught:
        next(frames)
        frames.throw(error)
    assert caught.value is error
    assert frees.calls == 1


@every_architecture
def test_nothing_of_earlier_frames_is_kept(name: str) -> None:
    """Not even while the next ones are made; by reference counts alone, without the cycle collector."""
    made: list[weakref.ref[Tensor]] = []

    def nothing_is_held(_: int) -> None:
        assert not any(ref() is not None for ref in made)

    animator = Watched(tiny(name), nothing_is_held)
    monitor = animate(animator, source_picture(), Streamed(clip_of()), CPU, AnimateOptions(batch=2))
    while (frames := next(monitor, None)) is not None:
        made.append(weakref.ref(frames))
        animator.rendered.clear()
        del frames
    assert len(made) == 6


# --- out of memory ---

OUT_OF_MEMORY = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    "runtime": lambda: RuntimeError("CUDA out of memory"),
    "cuda_driver": lambda: RuntimeError("CUDA error: out of memory"),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 18.13 GB)"),
    "cpu": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    "cpu_windows": lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    "cublas": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "cudnn": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "python": lambda: MemoryError(),
}
SAID = r"and again after all that was not needed had been freed\. Choose a smaller size, [^\n]*\.$"
every_kind = pytest.mark.parametrize("kind", OUT_OF_MEMORY)


def more_than(limit: int, kind: str) -> Callable[[int], None]:
    def fail(frames: int) -> None:
        if frames > limit:
            raise OUT_OF_MEMORY[kind]()

    return fail


@every_kind
def test_out_of_memory_is_recognised(kind: str) -> None:
    assert is_out_of_memory(OUT_OF_MEMORY[kind]())


@every_architecture
@pytest.mark.parametrize(("limit", "kind"), [(1, "cuda"), (2, "runtime"), (3, "python"), (5, "mps")])
def test_out_of_memory_halves_the_batch_for_good(name: str, kind: str, limit: int) -> None:
    wanted = driven(published_form(name), source_picture(), clip_of(), AnimateOptions(batch=8))
    watched, frees = Watched(published_form(name), more_than(limit, kind)), Frees()
    options = AnimateOptions(batch=8)
    got = driven(watched, source_picture(), clip_of(), options, Hooks(free_memory=frees))
    torch.testing.assert_close(got, wanted, **SAME)
    tried = {1: [8, 4, 2] + [1] * 11, 2: [8, 4] + [2] * 5 + [1], 3: [8, 4] + [2] * 5 + [1], 5: [8, 4, 4, 3]}
    assert watched.sizes == tried[limit]
    assert frees.calls == sum(size > limit for size in watched.sizes) + 1


def test_a_retry_holds_nothing_of_the_frames_before() -> None:
    made: list[weakref.ref[Tensor]] = []

    def check(frames: int) -> None:
        assert not any(ref() is not None for ref in made)
        more_than(2, "runtime")(frames)

    animator = Watched(tiny("fomm"), check)
    monitor = animate(animator, source_picture(), Streamed(clip_of()), CPU, AnimateOptions(batch=8))
    while (frames := next(monitor, None)) is not None:
        made.append(weakref.ref(frames))
        del frames
    assert len(made) == 6


@every_architecture
@every_kind
def test_out_of_memory_with_one_frame_is_one_line(name: str, kind: str) -> None:
    """It stays an error of the kind that it was, for those who wait for that."""
    watched = Watched(tiny(name), more_than(0, kind))
    with pytest.raises(type(OUT_OF_MEMORY[kind]()), match=SAID) as caught:
        driven(watched, source_picture(), clip_of(4), AnimateOptions(batch=4))
    assert isinstance(caught.value, FirstOrderError)
    assert watched.sizes == [4, 2, 1]


def test_a_single_frame_is_tried_again_after_memory_was_freed() -> None:
    frees, wanted = Frees(), driven(tiny("fomm"), source_picture(), clip_of(3), AnimateOptions(batch=1))

    def fail(_: int) -> None:
        if frees.calls == 0:
            raise OUT_OF_MEMORY["cuda"]()

    watched = Watched(tiny("fomm"), fail)
    got = driven(watched, source_picture(), clip_of(3), AnimateOptions(batch=1), Hooks(free_memory=frees))
    torch.testing.assert_close(got, wanted, **SAME)
    assert watched.sizes == [1, 1, 1, 1]
    assert frees.calls == 2  # and at the end


def failing(place: str, kind: str, times: int, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """An animator whose first calls of a method run out of memory."""
    watched, calls = Watched(published_form("fomm")), iter(range(100))
    method = getattr(watched, place)

    def fail(*args: object) -> object:
        if next(calls) < times:
            raise OUT_OF_MEMORY[kind]()
        return method(*args)

    monkeypatch.setattr(watched, place, fail)
    return watched


@every_kind
@pytest.mark.parametrize("place", ["prepare", "motion"])
def test_out_of_memory_in_the_source_and_anchor_pass(place: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, frees = driven(published_form("fomm"), source_picture(), clip_of(3), AnimateOptions()), Frees()
    got = driven(
        failing(place, kind, 1, monkeypatch), source_picture(), clip_of(3), AnimateOptions(), Hooks(free_memory=frees)
    )
    torch.testing.assert_close(got, wanted, **SAME)
    assert frees.calls == 2
    doing = {"prepare": "encoding the source", "motion": "reading the anchor's pose"}[place]
    with pytest.raises(FirstOrderError, match=f"while {doing}, {SAID}"):
        driven(failing(place, kind, 2, monkeypatch), source_picture(), clip_of(3), AnimateOptions())


def test_out_of_memory_while_the_best_frame_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    frees = Frees()

    def find(times: int) -> int:
        animator, clip = failing("motion", "cuda", times, monkeypatch), TensorClip(clip_of(3))
        return find_best_frame(animator, clip_of(3)[2:], clip, CPU, AnimateOptions(batch=4), Hooks(free_memory=frees))

    assert find(1) == 2
    assert frees.calls == 1
    with pytest.raises(FirstOrderError, match=f"while reading the source's pose, {SAID}"):
        find(2)


def test_pixels_run_out_of_memory_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    model = copy.copy(tiny("fsrt"))
    monkeypatch.setattr(model, "decode", fail_with(OUT_OF_MEMORY["cuda"]()))
    with pytest.raises(FirstOrderError, match=f"working on pixels one at a time, {SAID}"):
        driven(model, source_picture(), clip_of(1), AnimateOptions(max_pixels=4))


@every_architecture
@pytest.mark.parametrize(
    "error",
    [RuntimeError("The size of tensor a (3) must match"), ValueError("no"), KeyError("x"), Stop(), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_propagate_untouched(name: str, error: BaseException) -> None:
    watched = Watched(tiny(name), fail_with(error))
    with pytest.raises(type(error)) as caught:
        driven(watched, source_picture(), clip_of(4), AnimateOptions(batch=4))
    assert caught.value is error
    assert watched.sizes == [4]
