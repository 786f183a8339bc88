"""Identity of a loaded model, by which poses are known to be its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from typing_extensions import Self

from ...core.errors import quote
from ...core.types import Animator
from ...core.weights.architecture import Architecture
from ...core.weights.find import Stamps, WeightFiles
from ...core.weights.paths import sha256_of


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Mark that tells a model from others: its architecture's id, and the SHA-256 of its weights, in hexadecimal.

    `name` is that of the weight file, for messages.
    """

    architecture: str
    weights: str
    name: str = field(compare=False)

    @classmethod
    def of_files(cls, files: WeightFiles) -> Self:
        """Identify a model by its file; one of several files by the SHA-256 of their SHA-256s.

        Architectures of one family read the same file alike.
        """
        kind = files.kind
        family = kind.family if isinstance(kind, Architecture) else None
        return cls(family or kind.id, _hash_of_files(files.stamps), files.path.name)

    @classmethod
    def of_network(cls, animator: Animator) -> Self:
        """Identify a model that came from no file by its weights as they are."""
        digest = hashlib.sha256()
        for name, tensor in sorted(animator.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        kind = "".join(sign if sign.isalpha() else "_" for sign in animator.spec.name.lower())
        return cls(kind, digest.hexdigest(), animator.spec.name)

    def __str__(self) -> str:
        return f"{quote(self.name)} ({quote(self.architecture)}, SHA-256 {self.weights[:12]}…)"


@lru_cache(maxsize=64)
def _hash_of_files(stamps: Stamps) -> str:
    """Hash files that have not changed since these times only once."""
    hashes = [sha256_of(path) for path, _ in stamps]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
