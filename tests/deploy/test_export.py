"""Export into a folder, fewer bits, and the pack's driver on what was exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.cli.main import main
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.installation import pack_version
from first_order_motion.core.types import Animator
from first_order_motion.deploy import export as exporting
from first_order_motion.deploy.export import About, ExportOptions, compare, export_model
from first_order_motion.deploy.exported import load_exported
from first_order_motion.deploy.graphs import graphs_of
from first_order_motion.deploy.onnx_file import to_half_storage
from first_order_motion.deploy.quantize import Sample, opened, psnr, to_int8
from support.architectures import SIDE, TINY, blobs, driven, seeded, source_picture, tiny
from support.command_line import COUNT, command

pytestmark = pytest.mark.xdist_group("deploy")

ABOUT = About("toy", "toy.safetensors", "MIT")


def toy() -> Animator:
    """A new one, as exporting uses it up."""
    return seeded(TINY["toy"].build())


def models_in(folder: Path) -> dict[str, onnx.ModelProto]:
    return {name: onnx.load(folder / f"{name}.onnx") for name in ("motion", "prepare", "render")}


def facts_of(model: onnx.ModelProto) -> dict[str, str]:
    return {fact.key: fact.value for fact in model.metadata_props}


def test_what_graphs_say_of_themselves(tiny_export: Path) -> None:
    for name, model in models_in(tiny_export).items():
        facts = facts_of(model)
        assert facts["graph"] == name and facts["graphs"] == "motion,prepare,render" and facts["format"] == "1"
        assert (facts["architecture"], facts["weights"], facts["licence"]) == ("fomm", "tiny.safetensors", "not stated")
        assert (facts["size"], facts["modes"], facts["precision"]) == (str(SIDE), "relative,standard", "float32")
        assert model.producer_name == "ComfyUI-FirstOrderMM" and model.producer_version == pack_version()
        assert {opset.domain: opset.version for opset in model.opset_import}[""] == 18
        assert str(Path(__file__).parent.parent.parent) not in str(model.SerializeToString())
    assert len({facts_of(model)["export"] for model in models_in(tiny_export).values()}) == 1


def test_programs_hold_their_own_weights_alone(tiny_export: Path) -> None:
    model, sizes = tiny("fomm"), 0
    for example in graphs_of(model, SIDE, 3):
        path, extra = tiny_export / f"{example.name}.pt2", {"metadata.json": ""}
        program = torch.export.load(path, extra_files=extra)
        assert json.loads(extra["metadata.json"])["graph"] == example.name
        with torch.no_grad():
            got, wanted = program.module()(*example.tensors.values()), example.graph(*example.tensors.values())
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)
        sizes += sum(tensor.numel() for tensor in program.state_dict.values())
    assert sizes <= sum(tensor.numel() for tensor in model.state_dict().values())


def test_licence_of_published_weights(bundled_export: Path) -> None:
    facts = facts_of(onnx.load(bundled_export / "motion.onnx"))
    assert (facts["licence"], facts["architecture"]) == ("MIT", "drawn")


@pytest.mark.slow
def test_fewer_bits_keep_the_bundled_model(bundled_export: Path) -> None:
    models, sample = models_in(bundled_export), Sample.read()
    facts = facts_of(models["motion"])
    exact, size = opened(models, facts), sum(model.ByteSize() for model in models.values())
    bytes_ = to_int8(models, facts, sample)
    for model in (*models.values(), *bytes_.values()):
        to_half_storage(model)
    assert psnr(exact, opened(models, facts), sample) > 60
    assert sum(model.ByteSize() for model in models.values()) < 0.56 * size
    assert 40 < psnr(exact, opened(bytes_, facts), sample) < 60
    assert sum(model.ByteSize() for model in bytes_.values()) < 0.4 * size
    kinds = {name: {node.op_type for node in model.graph.node} for name, model in bytes_.items()}
    assert "QuantizeLinear" in kinds["render"] and "QuantizeLinear" not in kinds["motion"]


def test_graphs_that_draw_something_else_are_noticed(tiny_export: Path) -> None:
    models = models_in(tiny_export)
    facts, model = facts_of(models["motion"]), tiny("fomm")
    found = compare(models, facts, model, SIDE)
    assert found.keys() == models.keys() and all(0 < difference < 1e-4 for difference in found.values())
    with pytest.raises(CheckpointError, match=r"^The graph \w+ of FOMM differs from PyTorch's by .* wanted"):
        compare(models, facts, seeded(TINY["fomm"].build(), seed=8), SIDE)
    broken = seeded(TINY["fomm"].build())
    with torch.no_grad():
        broken.generator.final.bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match=r"^The graph render of FOMM differs from PyTorch's by inf"):
        compare(models, facts, broken, SIDE)


def test_a_model_that_loses_too_much_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LEAST_PSNR", 1e9)
    (tmp_path / "motion.onnx").write_bytes(b"earlier")
    with pytest.raises(InputError, match=r"^precision is float16; it keeps Toy to .* dB only"):
        export_model(toy(), tmp_path, ABOUT, ExportOptions(precision="float16"))
    assert [path.name for path in tmp_path.iterdir()] == ["motion.onnx"]
    assert (tmp_path / "motion.onnx").read_bytes() == b"earlier"


def test_another_size(tmp_path: Path) -> None:
    export_model(toy(), tmp_path, ABOUT, ExportOptions(size=32))
    exported = load_exported(tmp_path)
    got = driven(exported, source_picture(), blobs(3), AnimateOptions(batch=2))
    wanted = driven(tiny("toy"), source_picture(), blobs(3), AnimateOptions(size=32))
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="works only at 32"):
        driven(exported, source_picture(), blobs(3), AnimateOptions(size=64))


@pytest.mark.parametrize(
    "options", [{"format": "tflite"}, {"precision": "int4"}, {"format": "both", "precision": "int8"}]
)
def test_options_of_the_export(options: dict[str, str]) -> None:
    with pytest.raises(InputError):
        ExportOptions(**options)


def test_the_driver_draws_by_exported_graphs(tiny_export: Path) -> None:
    """In every mode, also a source that moves."""
    exported = load_exported(tiny_export)
    for mode in ("relative", "standard"):
        options = AnimateOptions(Retargeting(mode), batch=3)
        for source in (source_picture(), TensorClip(blobs(7, seed=2))):
            got, wanted = (driven(model, source, blobs(7), options) for model in (exported, tiny("fomm")))
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4)


# --- command line ---


def test_run(files: Path, tiny_export: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("torch", "onnx")]
    for folder in folders:
        folder.mkdir()
    assert main(command(files, output=str(folders[0] / "frame.png"))) == 0
    words = command(files, "--runtime", "onnx", output=str(folders[1] / "frame.png"))
    words[words.index("--checkpoint") + 1] = str(tiny_export)
    assert main(words) == 0
    clips = [torch.cat([*open_clip(path).chunks(COUNT)]).numpy().astype(int) for path in folders]
    assert len(clips[0]) == COUNT and np.abs(clips[0] - clips[1]).max() <= 1
    with pytest.raises(SystemExit):
        main([*words, "--runtime", "tensorflow"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--precision", "float16"], "--precision was given; an exported model has that settled"),
        (["--compile"], "--compile was given"),
        (["--cuda-graphs"], "--cuda-graphs was given"),
        (["--scale-factor", "0.125"], "--scale-factor was given"),
        (["--parts", "1"], "--parts was given"),
        (["--size", "64"], "--size was given"),
        (["--detail", "1"], "--detail is 1; FOMM has no flow to move any"),
        (["--device", "mps"], "device is 'mps'; this ONNX Runtime offers cpu"),
        (["--checkpoint", "none"], "none is no folder"),
    ],
)
def test_run_refuses(
    files: Path, tiny_export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    words = command(files, "--runtime", "onnx", output=str(tmp_path / "result.mp4"))
    words[words.index("--checkpoint") + 1] = str(tiny_export)
    assert main([*words, *more]) == 1
    printed = capsys.readouterr().err.splitlines()
    assert message in printed[-1] and [line for line in printed if line.startswith("error: ")] == printed[-1:]
    assert not [*tmp_path.iterdir()]


def test_run_needs_a_folder(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / "source.png"), str(files / "driving.mp4"), str(tmp_path / "result.mp4")]
    assert main(["run", *paths, "--runtime", "onnx"]) == 1
    assert "--runtime is onnx; the folder of an exported model was wanted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--size", "50"], "--size is 50; FOMM needs a multiple of"),
        (["--precision", "float16", "--format", "pt2"], "--precision is float16; pt2 is written in float32"),
        (["--parts", "1"], "--parts was given"),
        (["--checkpoint", "none.safetensors"], "none.safetensors"),
    ],
)
def test_export_refuses(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    words = ["export", str(tmp_path / "made"), "--checkpoint", str(files / "tiny.safetensors"), *more]
    assert main(words) == 1
    printed = capsys.readouterr().err.splitlines()
    assert message in printed[-1] and printed[-1].startswith("error: ")
    assert not [*tmp_path.rglob("*.*")]


def test_export_to_a_place_that_is_taken(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("kept")
    assert main(["export", str(tmp_path / "file"), "--checkpoint", str(files / "tiny.safetensors")]) == 1
    assert "cannot be made" in capsys.readouterr().err and (tmp_path / "file").read_text() == "kept"


def test_info_tells_of_the_export(tiny_export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tiny_export)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert {"kind: exported model", "architecture: fomm", "size: 64 pixels"} <= {*said}
    assert any(line.startswith("graph render: ") for line in said)
