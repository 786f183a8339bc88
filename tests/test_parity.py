"""Every case of every parity pack, within the pack's own tolerances (see tests/parity/README.md)."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from parity_adapter import compare, run_case
from seeded_weights import load_pack

PARITY = Path(__file__).resolve().parent / "parity"
PACKS = sorted(path.parent for path in PARITY.glob("*/*/manifest.json"))


@lru_cache(maxsize=1)
def pack(folder: Path) -> tuple[dict, dict, dict, dict]:
    manifest, states = load_pack(folder)
    inputs = dict(np.load(PARITY / "inputs.npz"))
    return manifest, states, inputs, dict(np.load(folder / "expected.npz"))


def cases() -> list:
    """All of every pack, and one of each by the inference form: pack by pack, as one alone is kept in memory."""
    return [
        pytest.param(
            *(folder, name, fast),
            id=f"{folder.parent.name}-{folder.name}-{name}{'-fast' if fast else ''}",
            marks=pytest.mark.xdist_group(f"{folder.parent.name}-{folder.name}"),
        )
        for folder in PACKS
        for name, fast in cases_of(folder)
    ]


def cases_of(folder: Path) -> list[tuple[str, bool]]:
    """Names; the last is the one that goes furthest, to the picture and by the driver where the pack has such."""
    found = json.loads((folder / "manifest.json").read_text())["cases"]
    pictures = [case["name"] for case in found if any(name.endswith(compare.FINAL) for name in case["outputs"])]
    furthest = max(
        pictures, key=lambda name: (name.startswith(("driver", "relative")), name), default=found[-1]["name"]
    )
    return [*((case["name"], False) for case in found), (furthest, True)]


@pytest.mark.parametrize(("folder", "name", "fast"), cases())
def test_case(folder: Path, name: str, fast: bool) -> None:
    manifest, states, inputs, expected = pack(folder)
    case = next(case for case in manifest["cases"] if case["name"] == name)
    given = [key for key in expected if "/input_" in key or (key.startswith(f"{name}/") and key not in case["outputs"])]
    inputs = inputs | {key: expected[key] for key in given}
    named = [str(text).removeprefix("expected.npz ").split(" ")[0] for text in case.get("inputs", {}).values()]
    stored = [name for name in named if name in expected]
    inputs |= {key: expected[key] for key in stored}
    got = run_case(manifest, states, case, inputs, fast)
    rows = list(compare.check_case(case, got, expected))
    assert rows
    assert [row for row in rows if row[1] != "ok"] == []


def test_constructed_buffers_are_the_published_ones() -> None:
    from firstordermm.core.layers.antialias import AntiAliasInterpolation2d

    for folder in [*PARITY.glob("fomm/*"), *PARITY.glob("articulate/*"), *PARITY.glob("partswap/*")]:
        buffers = dict(np.load(folder / "buffers.npz"))
        for buffer in (value for key, value in buffers.items() if key.endswith("down.weight")):
            ours = AntiAliasInterpolation2d(3, 0.25).weight.numpy()
            np.testing.assert_allclose(ours, buffer, rtol=0, atol=1e-8)
