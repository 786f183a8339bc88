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


WHOLE = ("driver", "parser_existing", "parser_reference", "animate", "standard", "avd_mode", "size512")


def cases_of(folder: Path, every: bool) -> list[tuple[str, bool]]:
    """Names, and whether to run the inference form.

    Of the cases that put whole videos through the driver, one runs plain, and once more in the inference form; the
    others are left to `--every-case`, as a full-size network takes seconds for a frame. What options do to the driver
    is also tested on small networks (`test_driver.py` and others).
    """
    found = json.loads((folder / "manifest.json").read_text())["cases"]
    names = [case["name"] for case in found]
    whole = [name for name in names if name.startswith(WHOLE) or name == "relative"]
    pictures = [case["name"] for case in found if any(name.endswith(compare.FINAL) for name in case["outputs"])]
    furthest = max(whole or pictures)
    left_out = () if every else {name for name in whole if name != furthest}
    return [*((name, False) for name in names if name not in left_out), (furthest, True)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Pack by pack, as one alone is kept in memory."""
    if "fast" not in metafunc.fixturenames:
        return
    params = [
        pytest.param(
            *(folder, name, fast),
            id=f"{folder.parent.name}-{folder.name}-{name}{'-fast' if fast else ''}",
            marks=pytest.mark.xdist_group(f"{folder.parent.name}-{folder.name}"),
        )
        for folder in PACKS
        for name, fast in cases_of(folder, metafunc.config.getoption("--every-case"))
    ]
    metafunc.parametrize(("folder", "name", "fast"), params)


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
