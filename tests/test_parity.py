"""Every case of every parity pack, within the pack's own tolerances (see tests/parity/README.md)."""

import json
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pytest
from parity_adapter import compare, run_case
from seeded_weights import load_pack
from support.parity_common import DEVICE

pytestmark = pytest.mark.parity

PARITY = Path(__file__).resolve().parent / "parity"
PACKS = sorted(path.parent for path in PARITY.glob("*/*/manifest.json"))


@lru_cache(maxsize=1)
def pack(folder: Path) -> tuple[dict, dict, dict, dict]:
    manifest, states = load_pack(folder)
    inputs = dict(np.load(PARITY / "inputs.npz"))
    return manifest, states, inputs, dict(np.load(folder / "expected.npz"))


# Cases that put whole pictures at full size through everything, by what they are for: (starts of names, whole names).
WHOLE = {
    "video": (("driver", "parser_existing", "parser_reference", "animate", "avd_mode"), ("relative", "standard")),
    "best frame": (("best_frame_split", "animate_best_frame"), ("best_frame",)),
    "large": (("size512",), ()),
    "picture": ((), ("frame", "reconstruction")),
}


def of_kind(kind: str, names: list[str]) -> list[str]:
    starts, whole = WHOLE[kind]
    return [name for name in names if name.startswith(starts) or name in whole]


@cache
def names_in(folder: Path) -> list[str]:
    return [case["name"] for case in json.loads((folder / "manifest.json").read_text())["cases"]]


def cases_of(folder: Path, every: bool) -> list[tuple[str, bool]]:
    """Names, and whether to run the inference form.

    A full-size network takes seconds for a frame, so of the cases that put whole pictures through it each pack's last
    video runs in the inference form, which users get, and each architecture's first pack that has a kind runs one of
    that kind in the plain form. The others are left to `--every-case`: what options do to the driver is also tested on
    small networks (`tests/animation`), and what the networks do, stage by stage.
    """
    names, packs = names_in(folder), [pack for pack in PACKS if pack.parent == folder.parent]
    left_out: set[str] = set()
    for kind in WHOLE:
        here = of_kind(kind, names)
        first = next((pack for pack in packs if of_kind(kind, names_in(pack))), None)
        left_out.update(here if folder != first else sorted(here)[:-1])
    fast = max(of_kind("video", names) or names[-1:])
    return [*((name, False) for name in names if every or name not in left_out), (fast, True)]


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


def loosened(case: dict) -> dict:
    """The case, with ten times its tolerances on devices other than the CPU, which it was made on."""
    more = 1 if DEVICE.type == "cpu" else 10
    return case | {name: more * case.get(name, 1e-4) for name in ("atol", "rtol")}


def test_case(folder: Path, name: str, fast: bool) -> None:
    manifest, states, inputs, expected = pack(folder)
    case = next(case for case in manifest["cases"] if case["name"] == name)
    given = [key for key in expected if "/input_" in key or (key.startswith(f"{name}/") and key not in case["outputs"])]
    inputs = inputs | {key: expected[key] for key in given}
    named = [str(text).removeprefix("expected.npz ").split(" ")[0] for text in case.get("inputs", {}).values()]
    stored = [name for name in named if name in expected]
    inputs |= {key: expected[key] for key in stored}
    got = run_case(manifest, states, case, inputs, fast)
    rows = list(compare.check_case(loosened(case), got, expected))
    assert rows
    assert [row for row in rows if row[1] != "ok"] == []


def test_constructed_buffers_are_the_published_ones() -> None:
    from first_order_motion.core.layers.antialias import AntiAliasInterpolation2d

    for folder in [*PARITY.glob("fomm/*"), *PARITY.glob("articulate/*"), *PARITY.glob("partswap/*")]:
        buffers = dict(np.load(folder / "buffers.npz"))
        for buffer in (value for key, value in buffers.items() if key.endswith("down.weight")):
            ours = AntiAliasInterpolation2d(3, 0.25).weight.numpy()
            np.testing.assert_allclose(ours, buffer, rtol=0, atol=1e-8)
