"""Rows by which an architecture declares itself: the keys that identify its files, and how they become a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..types import Animator, LoadOptions
from .catalog import PublishedWeights
from .checkpoint import Checkpoint, register_components

Predicate = Callable[[Checkpoint], bool]

# Options that not every architecture accepts; each row names those that it does. The first belong to relative motion.
RELATIVE = frozenset({"anchor", "best_frame", "adapt_scale"})
RELATIVE_JACOBIAN = RELATIVE | {"relative_jacobian"}
RESTRICTED = RELATIVE_JACOBIAN | {
    *("aligned_sampling", "scale_factor", "variant", "background", "max_pixels", "more_sources"),
    *("parts", "face_parts", "face_parser", "target_mask", "hard_edges", "blend_scale"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsKind:
    """Kind of weight file.

    `id` is short and stays the same, `name` is for messages, `matches` recognises a file by its keys, `components` are
    the networks that it keeps under keys of their own, beside PUBLISHED_COMPONENTS; `published` lists the known files
    in the order that menus show them, `advice` is what an error adds about such a file where another kind was wanted.
    """

    id: str
    name: str
    matches: Predicate
    components: tuple[str, ...] = ()
    published: tuple[PublishedWeights, ...] = ()
    advice: str = ""

    def __post_init__(self) -> None:
        register_components(self.components)  # reading a file takes them apart, whoever reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture(WeightsKind):
    """Kind of weight file that becomes an Animator.

    `load` builds it from a checkpoint, of which `trim` leaves out what no animation needs. `companion_files` are
    components published in files of their own, each with the kind of such a file. `options` are those of RESTRICTED
    that it accepts. `also_reads` are other kinds that `load` understands. `family` is the id of the architecture
    under whose name this one is offered too.
    """

    load: Callable[[Checkpoint, LoadOptions], Animator]
    trim: Callable[[Checkpoint], Checkpoint] = lambda checkpoint: checkpoint
    companion_files: Mapping[str, WeightsKind] = field(default_factory=dict[str, WeightsKind])
    options: frozenset[str] = frozenset()
    also_reads: tuple[WeightsKind, ...] = ()
    family: str | None = None


def has_keys(component: str, *starts: str) -> Predicate:
    """Match files with a component that has, for each of `starts`, a key that begins with it."""

    def matches(checkpoint: Checkpoint) -> bool:
        state = checkpoint.components.get(component, {})
        return bool(state) and all(any(key.startswith(start) for key in state) for start in starts)

    return matches


def lacks_keys(component: str, start: str) -> Predicate:
    """Match files without a key in a component that begins with `start`."""
    found = has_keys(component, start)
    return lambda checkpoint: not found(checkpoint)


def all_of(*predicates: Predicate) -> Predicate:
    """Match files that all predicates match."""
    return lambda checkpoint: all(matches(checkpoint) for matches in predicates)


def any_of(*predicates: Predicate) -> Predicate:
    """Match files that at least one predicate matches."""
    return lambda checkpoint: any(matches(checkpoint) for matches in predicates)
