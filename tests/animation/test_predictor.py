"""The front door: what the command line refuses, Python does not pass over in silence either."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.engine import optimize_for_inference
from first_order_motion.animation.find_model import Folders, find_model
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.animation.unused import given_options, refuse_unused_options
from first_order_motion.animation.video import animate_file
from first_order_motion.cli.main import main
from first_order_motion.core.errors import FirstOrderError, InputError, MissingWeightsError
from support.architectures import CPU, source_picture, tiny
from support.command_line import build_files, command
from support.drivers import clip_of


def refused(sources: Sequence[torch.Tensor], options: AnimateOptions) -> str:
    predictor = Predictor(tiny("fomm"), CPU)
    with pytest.raises(InputError) as caught:
        next(predictor.animate(sources, TensorClip(clip_of()), options))
    return str(caught.value)


def test_pictures_and_limits_without_a_use_are_refused() -> None:
    assert "source has 2 pictures" in refused([source_picture()] * 2, AnimateOptions())
    assert "max_pixels was given" in refused([source_picture()], AnimateOptions(max_pixels=9))
    several = Predictor(tiny("fsrt"), CPU)
    assert len(next(several.animate([source_picture()] * 2, TensorClip(clip_of()), AnimateOptions(max_pixels=999)))) > 0


@pytest.mark.parametrize(
    ("name", "retargeting", "others", "says"),
    [
        ("fomm", Retargeting("standard"), {"anchor": 3}, "anchor was given"),
        ("fomm", Retargeting("standard", relative_jacobian=False), {}, "relative_jacobian was given"),
        ("spline", Retargeting("avd", adapt_scale=False), {}, "adapt_scale was given"),
        ("fomm", Retargeting("standard", background=True), {}, "background was given.*cannot move any"),
        ("mrfa_like_celebvhq", Retargeting("relative", background=True), {}, "only in the mode standard"),
        ("fomm", Retargeting("relative", adapt_scale=False), {"anchor": 3}, None),
        ("mrfa_like_celebvhq", Retargeting("standard", background=True), {}, None),
    ],
)
def test_options_without_a_use_in_a_mode_are_refused(
    name: str, retargeting: Retargeting, others: dict[str, int], says: str | None
) -> None:
    options = AnimateOptions(retargeting, **others)
    given = given_options(options, None)
    if says is None:
        refuse_unused_options(tiny(name), options, given)
        return
    with pytest.raises(InputError, match=says):
        refuse_unused_options(tiny(name), options, given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--absolute", "--anchor", "0"], "--anchor was given"),
        (["--absolute", "--best-frame"], "--best-frame was given"),
        (["--absolute", "--keep-scale"], "--keep-scale was given"),
        (["--more-sources", "source.png"], "--more-sources was given"),
    ],
)
def test_the_command_line_refuses_them_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], says: str
) -> None:
    files = build_files(tmp_path)
    assert main(command(files, *(word.replace("source.png", str(files / "source.png")) for word in given))) == 1
    assert says in capsys.readouterr().err
    predictor = Predictor.load(files / "tiny.safetensors", device="cpu")
    pictures, clip, result = files / "source.png", files / "driving.mp4", files / "a.mp4"
    with pytest.raises(InputError, match="source has 2 pictures"):
        animate_file([pictures, pictures], clip, result, predictor)
    with pytest.raises(InputError, match="best_frame was given"):
        animate_file(pictures, clip, result, predictor, AnimateOptions(Retargeting("standard")), best_frame="auto")
    assert not result.exists()


def test_a_model_is_optimised_once() -> None:
    animator = copy.deepcopy(tiny("fomm"))
    optimize_for_inference(animator, CPU)
    for again in (lambda: Predictor.optimized(animator, CPU), lambda: optimize_for_inference(animator, CPU)):
        with pytest.raises(InputError, match="was optimised before"):
            again()


@pytest.mark.parametrize("name", ["nowhere/vox.pth", "vox.pth", "./vox", "vox.safetensors"])
def test_a_path_that_leads_nowhere_is_called_so(name: str) -> None:
    with pytest.raises(MissingWeightsError, match=f"{name.removeprefix('./')} does not exist"):
        Predictor.load(name)


def test_a_name_that_is_none_gets_the_names_that_are() -> None:
    with pytest.raises(InputError, match="'voxx' is neither a file nor published weights; these are: "):
        Predictor.load("voxx")


@pytest.mark.parametrize("download", [True, False])
def test_folders_to_look_in(tmp_path: Path, download: bool) -> None:
    with pytest.raises(InputError, match="folders has 0 folders"):
        find_model("vox-adv", folders=[], download=download)
    (tmp_path / "vox-adv-cpk.pth.tar").write_bytes(b"x")
    folders: list[Folders] = [str(tmp_path), tmp_path, [str(tmp_path)], (tmp_path,)]
    for given in folders:
        assert find_model("vox-adv", folders=given)[0].path == (tmp_path / "vox-adv-cpk.pth.tar").resolve()
    with pytest.raises(FirstOrderError, match=r"vox-cpk\.pth\.tar"):
        find_model("vox", "fomm", folders=str(tmp_path))
