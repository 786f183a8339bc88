"""Preparation: what is written, what is skipped and why, and going on after a kill."""

import json
import re
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.cli.main import main
from first_order_motion.core.errors import InputError, MediaError
from first_order_motion.training.data.dataset import DatasetParams, FramesDataset
from first_order_motion.training.data.frame_reader import FrameReader
from first_order_motion.training.data.prepare import PrepareOptions, prepare
from PIL import Image
from support.media_files import all_frames, build_video

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Five videos: with sound, of odd rates, one short, one broken."""
    folder = tmp_path / "videos"
    folder.mkdir()
    build_video(folder / "a.mp4", 12, audio="aac", fps=Fraction(30000, 1001))
    build_video(folder / "b.mp4", 20, fps=Fraction(50))
    build_video(folder / "c.mkv", 10, fps=Fraction(12))
    build_video(folder / "short.mp4", 3)
    (folder / "broken.mp4").write_bytes((folder / "a.mp4").read_bytes()[:700])
    return folder


class BrightFinder:
    """Finder that takes the bright part of a picture for its face."""

    name = "bright"

    def __call__(self, picture: np.ndarray) -> list[Face]:
        rows, columns = np.nonzero(picture.mean(-1) > 128)
        return [Face(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)] if len(rows) else []


def test_videos_become_a_data_set_with_a_report(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "data"
    assert main(["prepare", str(videos), str(folder), "--size", "32", "--fps", "25"]) == 0
    report = json.loads((folder / "report.json").read_text())
    frames = {entry["video"]: entry["frames"] for entry in report["written"]}
    assert frames == {"a.mp4": 10, "b.mp4": 10, "c.mkv": 10} and {e["cut_side"] for e in report["written"]} == {48}
    assert sorted(report["skipped"]) == ["broken.mp4", "short.mp4"]
    assert "leaves 3 frames; 8 were wanted" in report["skipped"]["short.mp4"]
    assert "| broken.mp4 | " in capsys.readouterr().out
    train, test = (FramesDataset(DatasetParams(folder, (32, 32, 3)), split) for split in ("train", "test"))
    assert len(train) + len(test) == 3 and train[0, 0].source.shape == (3, 32, 32)
    assert sum(len(video) for video in (*train.test_videos(), *test.test_videos())) == 30


def test_progress_is_told_within_a_video(tmp_path: Path) -> None:
    build_video(tmp_path / "one.mp4", 20, size=(64, 64))
    told: list[tuple[int, int, str]] = []
    options = PrepareOptions(size=32, faces="largest")
    prepare(tmp_path / "one.mp4", tmp_path / "data", options, BrightFinder(), lambda *given: told.append(given))
    notes = [note for done, total, note in told if (done, total) == (0, 1) and note]
    for work in ("finding faces", "writing"):
        counts = [int(note.split()[-2].split("/")[0]) for note in notes if note.startswith(f"one, {work}: ")]
        assert len(counts) >= 2 and counts == sorted(counts) and counts[-1] >= 16
    assert told[-1] == (1, 1, "")


def test_a_single_video_is_divided_in_time_and_not_changed_at_its_own_size(tmp_path: Path) -> None:
    build_video(tmp_path / "one.mp4", 20, size=(64, 64), fps=Fraction(30000, 1001), audio="aac")
    prepare(tmp_path / "one.mp4", tmp_path / "data", PrepareOptions(size=64), BrightFinder())
    parts = [[*FrameReader(None).all(tmp_path / "data" / split / "one.mp4")] for split in ("train", "test")]
    assert [len(part) for part in parts] == [16, 4]
    assert torch.equal(torch.stack(parts[0] + parts[1]).movedim(1, -1), all_frames(VideoClip(tmp_path / "one.mp4")))


def test_videos_of_one_identity_stay_together_and_videos_can_be_written(tmp_path: Path) -> None:
    source = tmp_path / "videos"
    source.mkdir()
    for name in ("x#1.mp4", "x#2.mp4", "y#1.mp4", "z#1.mp4"):
        build_video(source / name, 10)
    report = prepare(source, tmp_path / "data", PrepareOptions(size=32, form="mp4", test_share=0.4), BrightFinder())
    splits = {entry.video: entry.output.partition("/")[0] for entry in report.written}
    assert splits["x#1.mp4"] == splits["x#2.mp4"] and {*splits.values()} == {"train", "test"}
    file = next((tmp_path / "data" / "test").iterdir())
    assert file.is_file() and len(VideoClip(file)) == 10 and not VideoClip(file).has_audio


def test_faces_are_cut_out_and_videos_without_are_skipped(tmp_path: Path) -> None:
    for name, brightness in (("bright", 200), ("dark", 50)):
        (tmp_path / "videos" / name).mkdir(parents=True)
        for number in range(10):
            picture = np.full((60, 100, 3), 20, np.uint8)
            picture[20:40, 60 + number : 80 + number] = brightness
            Image.fromarray(picture).save(tmp_path / "videos" / name / f"{number}.png")
    options = PrepareOptions(size=32, faces="largest", ratio=0.2)
    report = prepare(tmp_path / "videos", tmp_path / "data", options, BrightFinder())
    assert "shows no face that bright finds" in report.skipped["dark"]
    frames = torch.stack([*FrameReader(None).all(tmp_path / "data" / report.written[0].output)]).float()
    assert report.written[0].cut_side < 50  # 20 pixels, the way of the face, and margins
    assert (frames.mean((1, 2, 3)) > 50).all()  # the face fills a good part of each


def test_frames_without_the_face_and_enlarged_cuts_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "clip").mkdir()
    for number in range(24):
        picture = np.full((60, 100, 3), 20, np.uint8)
        picture[20:40, 40:60] = 200 if number < 12 else 50
        Image.fromarray(picture).save(tmp_path / "clip" / f"{number:02d}.png")
    caplog.set_level("INFO")
    options = PrepareOptions(size=64, faces="largest", ratio=0.2)
    report = prepare(tmp_path / "clip", tmp_path / "data", options, BrightFinder())
    (left,) = (record.getMessage() for record in caplog.records if "left out" in record.getMessage())
    assert f"shows in {sum(entry.frames for entry in report.written)} of 24 frames" in left
    assert f"is a cut of {report.written[0].cut_side} pixels, enlarged to 64" in caplog.text


def test_what_is_there_is_not_made_again(videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = prepare(videos, folder, PrepareOptions(size=32), BrightFinder())
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    (videos / "d.mp4").write_bytes((videos / "b.mp4").read_bytes())
    second = prepare(videos, folder, PrepareOptions(size=32), BrightFinder())
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert [entry.video for entry in second.written] == [*(entry.video for entry in first.written), "d.mp4"]


KILLED = """
import os, runpy, signal, sys
runpy.run_path(sys.argv[1])["load_pack"]()
from first_order_motion.training.data import prepare as module
calls, real = [], module.cut
def cut(*args):
    calls.append(1)
    if len(calls) == 17: os.kill(os.getpid(), signal.SIGKILL)
    return real(*args)
module.cut = cut
from pathlib import Path
module.prepare(Path(sys.argv[2]), Path(sys.argv[3]), module.PrepareOptions(size=32), lambda picture: [])
"""


@pytest.mark.slow
def test_a_preparation_that_was_killed_goes_on(videos: Path, tmp_path: Path) -> None:
    folder, unbroken = tmp_path / "data", tmp_path / "unbroken"
    killed = [sys.executable, "-c", KILLED, str(ROOT / "animate.py"), str(videos), str(folder)]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    written = [path for split in ("train", "test") for path in (folder / split).glob("[!.]*")]
    assert [len([*path.iterdir()]) for path in written] == [12]  # the first whole, of the second nothing to be seen
    resumed = prepare(videos, folder, PrepareOptions(size=32), BrightFinder())
    assert resumed == prepare(videos, unbroken, PrepareOptions(size=32), BrightFinder())
    names = [sorted(path.relative_to(root) for path in root.rglob("*")) for root in (folder, unbroken)]
    assert names[0] == names[1]  # no hidden folder of the killed process is left, either


@pytest.mark.parametrize(
    ("source", "target", "options", "said"),
    [
        ("videos", "videos/data", [], "FOLDER is .*among the videos themselves"),
        ("none", "data", [], "none is not there; a video or a folder of videos was wanted"),
        ("videos", "data", ["--size", "15"], "--size is 15; an even number from 16"),
        ("videos", "data", ["--fps", "0"], "--fps is 0; more than 0"),
        ("videos", "data", ["--test-share", "1"], "--test-share is 1; more than 0 and less than 1"),
        ("videos", "data", ["--least-frames", "1"], "--least-frames is 1; 2 or more"),
        ("videos", "done", ["--size", "64"], "FOLDER is .*prepared with size 32; 64 is wanted now"),
        ("videos", "damaged", [], "report.json is no report of a preparation"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, source: str, target: str, options: list[str], said: str, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "videos" / "one").mkdir(parents=True)
    for name, content in (("done", json.dumps({"settings": {"size": 32}, "written": []})), ("damaged", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(content)
    assert main(["prepare", str(tmp_path / source), str(tmp_path / target), *options]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert re.search(said, error), error


def test_videos_whose_names_meet_are_all_written(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.mp4.mkv"):
        (tmp_path / "videos").mkdir(exist_ok=True)
        build_video(tmp_path / "videos" / name, 8)
    report = prepare(tmp_path / "videos", tmp_path / "data", PrepareOptions(size=32), BrightFinder())
    assert len({entry.output for entry in report.written}) == 3
    assert all((tmp_path / "data" / entry.output).is_dir() for entry in report.written)


def test_what_others_put_there_is_not_counted_and_nothing_prepared_is_an_error(tmp_path: Path) -> None:
    video, folder = tmp_path / "a.mp4", tmp_path / "data"
    build_video(video, 12)
    (folder / "train" / "a.mp4").mkdir(parents=True)
    (folder / "train" / "a.mp4" / "mine.txt").write_text("mine")
    with pytest.raises(MediaError, match=r"Nothing of .*a\.mp4 is there, and is not the clip"):
        prepare(video, folder, PrepareOptions(size=32), BrightFinder())
    assert not (folder / "report.json").exists()
    with pytest.raises(InputError, match="in which the videos themselves are"):
        prepare(folder / "train", folder, PrepareOptions(size=32), BrightFinder())


def test_frames_are_left_to_train_with_whatever_the_share(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    build_video(video, 12)
    report = prepare(video, tmp_path / "data", PrepareOptions(size=32, test_share=0.99), BrightFinder())
    assert [entry.frames for entry in report.written] == [2, 10]


@pytest.mark.parametrize("given", [{"faces": "x,y"}, {"ratio": -5.0}, {"ratio": float("nan")}])
def test_choices_of_faces_are_checked_before_any_video(given: dict) -> None:
    with pytest.raises(InputError, match="wanted"):
        PrepareOptions(**given)
