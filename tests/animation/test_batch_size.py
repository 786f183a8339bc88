"""Chunk sizes that are chosen, and work that goes on ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from first_order_motion.animation import batch_size
from first_order_motion.animation.device_copy import to_cpu_async
from first_order_motion.animation.media.prefetch import prefetch
from first_order_motion.animation.options import DEFAULT_BATCH, AnimateOptions, Hooks
from support.architectures import CPU, blobs, driven, source_picture, tiny

OPEN = AnimateOptions()


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "_fitted", {})


def chosen(monkeypatch: pytest.MonkeyPatch, free: int | None, device: str = "cpu", name: str = "fomm") -> int:
    monkeypatch.setattr(batch_size, "free_memory", lambda _: free)
    return batch_size.choose_batch(OPEN, Hooks(), tiny(name), torch.device(device))[0].batch


def test_chunks_fit_into_half_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = 64 * 64 * tiny("fomm").spec.pixel_bytes
    assert chosen(monkeypatch, 0) == 1
    assert chosen(monkeypatch, 6 * frame) == 3
    assert chosen(monkeypatch, 10**12) == batch_size.MAX_BATCH["cpu"]
    assert chosen(monkeypatch, 10**12, "cuda") == batch_size.MAX_BATCH["cuda"]
    assert chosen(monkeypatch, None) == batch_size.MAX_BATCH["cpu"]
    heavy = tiny("mrfa").spec.size ** 2 * tiny("mrfa").spec.pixel_bytes
    assert [chosen(monkeypatch, 6 * heavy - more, name="mrfa") for more in (0, 1)] == [3, 2]


def test_without_a_size_the_memory_is_that_of_the_weights_own() -> None:
    model, batch = tiny("spline"), AnimateOptions(batch=3)
    own, twice = (batch_size.batch_bytes(model, replace(batch, size=size)) for size in (None, 2 * model.spec.size))
    assert own == 3 * model.spec.size**2 * model.spec.pixel_bytes
    assert twice == 4 * own
    assert batch_size.batch_bytes(model, OPEN) == DEFAULT_BATCH * own / 3


def test_a_chosen_size_is_kept() -> None:
    options, hooks = AnimateOptions(batch=3), Hooks()
    assert batch_size.choose_batch(options, hooks, tiny("fomm"), CPU) == (options, hooks)


def test_what_ran_out_of_memory_is_remembered() -> None:
    model, render = tiny("fomm"), tiny("fomm").render
    options, hooks = batch_size.choose_batch(OPEN, Hooks(), model, CPU)
    assert options.batch == 8

    class Small:
        spec, prepare, motion = model.spec, model.prepare, model.motion

        def render(self, prepared: object, motion: torch.Tensor) -> torch.Tensor:
            if len(motion) > 2:
                raise RuntimeError("out of memory")
            return render(prepared, motion)

    assert len(driven(Small(), source_picture(), blobs(9), options, hooks)) == 9
    assert batch_size.choose_batch(OPEN, Hooks(), model, CPU)[0].batch == 2
    assert batch_size.choose_batch(OPEN, Hooks(), tiny("spline"), CPU)[0].batch == 8  # another model


def test_ahead_keeps_order_errors_and_leaves_nothing_behind() -> None:
    left: list[int] = []

    def numbers(stop: int) -> Iterator[int]:
        try:
            yield from range(stop)
            raise ValueError("the end")
        finally:
            left.append(threading.get_ident())

    items = prefetch(numbers(2))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="the end"):
        next(items)
    early, before = prefetch(numbers(100)), threading.active_count()
    assert [next(early) for _ in range(3)] == [0, 1, 2]
    early.close()
    assert threading.active_count() == before
    assert len(left) == 2
    assert threading.get_ident() not in left


def test_fetched_hands_pictures_on_in_order() -> None:
    batches = [torch.full((2, 3, 4, 4), float(i)) for i in range(4)]
    assert [float(batch.mean()) for batch in to_cpu_async(batches)] == [0, 1, 2, 3]
