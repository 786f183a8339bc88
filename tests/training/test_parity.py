"""One training step of ours against the published one, on the same batch and weights (tests/parity/training)."""

import numpy as np
import pytest
import torch
from support.parity_common import Arrays
from support.parity_training import KEPT, PACK, Loop, jacobian_term, pack

pytestmark = pytest.mark.parity

GENERATOR = ["generator", "kp_detector"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def case_of(name: str) -> dict:
    return next(case for case in pack()[0]["cases"] if case["name"] == name)


def expected(dtype: torch.dtype) -> Arrays:
    return np.load(PACK / ("expected_float64.npz" if dtype == torch.float64 else "expected.npz"))


def check(name: str, seen: Arrays, dtype: torch.dtype) -> None:
    """Compare every output of a case, within the pack's tolerances."""
    bits, wanted, faults = ("64" if dtype == torch.float64 else "32"), expected(dtype), []
    for output, row in case_of(name)["outputs"].items():
        got, want = seen[output], wanted[f"{name}/{output}"]
        got = got[KEPT] if "slice" in row else got
        assert got.shape == want.shape, output
        error = np.abs(got.astype(np.float64) - want)
        if "tol" + bits in row:
            limit, exceptions = row["tol" + bits] * np.abs(want).max(), 0
        else:
            limit, exceptions = row["atol" + bits], 0 if bits == "64" else row["flips32"]
        if not np.isfinite(error).all() or (error > limit).sum() > exceptions:
            faults.append(f"{output}: {error.max():.2e}, {limit:.2e} allowed")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", ["jacobian_term", "jacobian_term_on_grid"])
def test_equivariance_of_given_keypoints(name: str, dtype: torch.dtype) -> None:
    check(name, jacobian_term(case_of(name), dtype), dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("g_eval", torch.float64), ("g_eval", torch.float32), ("g_align_corners", torch.float64)],
    ids=str,
)
def test_generator_step(name: str, dtype: torch.dtype) -> None:
    loop = Loop(case_of(name), dtype)
    loop.generator_step()
    check(name, loop.seen, dtype)


@pytest.mark.slow
def test_three_generator_steps() -> None:
    loop = Loop(case_of("g_plain"), torch.float64)
    loop.generator_step()
    check("g_plain", loop.seen, torch.float64)
    loop.adam(GENERATOR)
    loop.generator_step("second/")
    loop.adam(GENERATOR, "second/")
    loop.generator_step("third/")
    check("adam_plain", loop.seen, torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("variant", ["sn", "plain"])
def test_discriminator_step_alone(variant: str, dtype: torch.dtype) -> None:
    name = f"d_{variant}_alone"
    loop = Loop(case_of(name), dtype)
    given = (torch.from_numpy(expected(dtype)[f"g_plain/{n}"]).to(dtype) for n in ("prediction", "kp_driving.value"))
    loop.discriminator_step(*given)
    check(name, loop.seen, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["sn", "plain"])
def test_two_rounds_of_the_whole_loop(variant: str) -> None:
    loop = Loop(case_of(f"loop_{variant}"), torch.float64)
    prediction = loop.generator_step()
    check(f"g_gan_{variant}", loop.seen, torch.float64)
    loop.adam(GENERATOR)
    loop.discriminator_step(prediction, loop.points)
    check(f"d_{variant}_loop", loop.seen, torch.float64)
    loop.adam(["discriminator"])
    prediction = loop.generator_step("second/")
    loop.adam(GENERATOR, "second/")
    loop.discriminator_step(prediction, loop.points, "second_d/")
    check(f"loop_{variant}", loop.seen, torch.float64)


def test_every_case_is_here() -> None:
    here = {"jacobian_term", "jacobian_term_on_grid", "g_eval", "g_align_corners", "g_plain", "adam_plain"}
    here |= {f"{kind}_{variant}" for kind in ("g_gan", "loop") for variant in ("sn", "plain")}
    here |= {f"d_{variant}_{way}" for variant in ("sn", "plain") for way in ("alone", "loop")}
    assert {case["name"] for case in pack()[0]["cases"]} == here
