"""Everything that can drive: folders, patterns, still and animated pictures; limits and refusals in one line."""

import logging
import sys
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.media import clip as clip_module
from first_order_motion.animation.media import container
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.animation.media.picture_sequence import numbered_name
from first_order_motion.animation.media.reader import read_picture
from first_order_motion.animation.media.writer import open_writer
from first_order_motion.animation.video import animate_file
from first_order_motion.core.errors import InputError, MediaError
from PIL import Image
from support.media_files import all_frames, build_video, moving_pictures


def save_frames(folder: Path, names: list[str], size: tuple[int, int] = (16, 12)) -> None:
    """Write a picture for each name, of which the red channel is its number in the list."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", size, (number, 0, 0)).save(folder / name)


def reds(path: Path) -> list[int]:
    return all_frames(open_clip(path))[:, 0, 0, 0].tolist()


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    names = [f"f{number}.PNG" for number in (1, 2, 9, 10, 11, 100)]
    save_frames(tmp_path / "a", names)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / ".hidden.png").write_text("neither")
    assert reds(tmp_path / "a") == [0, 1, 2, 3, 4, 5]
    clip = open_clip(tmp_path / "a", 12.5)
    assert clip.fps == 12.5 and clip.sound is None and open_clip(tmp_path / "a").fps == 25


@pytest.mark.parametrize("pattern", ["f_%03d.png", "f_%3d.png", "f_%d.png"])
def test_a_pattern_begins_at_the_lowest_number(tmp_path: Path, pattern: str) -> None:
    names = [f"f_{number:03d}.png" if "03" in pattern else f"f_{number}.png" for number in range(107, 112)]
    save_frames(tmp_path, [*names, "g_001.png"])
    assert reds(tmp_path / pattern) == [0, 1, 2, 3, 4]


def test_missing_numbers_are_named_and_leave_a_gap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_frames(tmp_path, [f"{number:04d}.png" for number in (3, 4, 7, 8)])
    with caplog.at_level(logging.WARNING):
        clip = open_clip(tmp_path / "%04d.png")
    assert "0005.png, 0006.png" in caplog.text
    assert [clip.times.start(number) for number in range(4)] == [0, 1, 4, 5] and clip.times.end(3) == 6


def test_a_written_sequence_is_read_by_its_pattern(tmp_path: Path) -> None:
    frames = moving_pictures(5)
    with open_writer(tmp_path / "out.png", 25) as writer:
        writer.write(frames)
    assert numbered_name(tmp_path / "out.png") == "out_%05d.png"
    assert torch.equal(all_frames(open_clip(tmp_path / "out_%05d.png")).movedim(-1, 1), frames)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tga", "a.gif", "A.PNG"])
def test_a_still_picture_is_one_frame(tmp_path: Path, name: str) -> None:
    save_frames(tmp_path, [name])
    clip = open_clip(tmp_path / name)
    assert len(clip) == 1 and clip.frame(0).shape == (1, 12, 16, 3)


@pytest.mark.parametrize("suffix", ["webp", "gif", "png"])
def test_animated_pictures_keep_their_durations(tmp_path: Path, suffix: str) -> None:
    pictures = [Image.new("RGB", (16, 12), (60 * number, 0, 0)) for number in range(4)]
    path = tmp_path / f"a.{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[50, 200, 100, 400], lossless=True)
    clip = open_clip(path)
    starts = [float(clip.times.start(number) * clip.times.tick) for number in range(5)]
    assert starts == pytest.approx([0, 0.05, 0.25, 0.35, 0.75], abs=0.001)
    shown = all_frames(clip)
    assert [round(int(red) / 60) for red in shown[:, 0, 0, 0]] == [0, 1, 2, 3]
    assert torch.equal(clip.frame(2)[0], shown[2])


def test_wrong_inputs_are_refused_in_one_line(tmp_path: Path) -> None:
    save_frames(tmp_path / "mixed", ["1.png", "2.png"])
    Image.new("RGB", (8, 8)).save(tmp_path / "mixed" / "3.png")
    save_frames(tmp_path / "damaged", ["1.png"])
    (tmp_path / "damaged" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (tmp_path / "empty").mkdir()
    for name in ("mixed", "damaged", "empty", "none_%03d.png", "none/%03d.png", "none.mp4"):
        with pytest.raises(MediaError, match=r"wanted.*\.$") as caught:
            open_clip(tmp_path / name)
        assert "\n" not in str(caught.value)
    build_video(tmp_path / "a.mp4", 5)
    with pytest.raises(InputError, match="own times"):
        open_clip(tmp_path / "a.mp4", 30)
    with pytest.raises(InputError, match="fps is"):
        open_clip(tmp_path / "mixed", -3)
    with pytest.raises(InputError, match="source has 0 pictures"):
        animate_file([], tmp_path / "a.mp4", tmp_path / "b.mp4")


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60)


@pytest.mark.parametrize(
    ("content", "name"),
    [(HEIC, "HEIC"), (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"), (b"%PDF-1.7\n", "PDF")],
)
def test_formats_that_are_not_read_are_named(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (read_picture, open_clip):
        with pytest.raises(MediaError, match=f"is {name}; .* wanted.*save"):
            read(path)


def test_frames_beyond_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_video(tmp_path / "a.mp4", 5)
    monkeypatch.setattr(container, "MAX_FRAME_PIXELS", 3000)
    with pytest.raises(MediaError, match="64 x 48; at most"):
        open_clip(tmp_path / "a.mp4")


def test_a_small_file_that_claims_many_pixels_is_refused(tmp_path: Path) -> None:
    Image.new("1", (8000, 8000)).save(tmp_path / "a.png", optimize=True)
    with pytest.raises(MediaError, match="64 megapixels in a file of"):
        read_picture(tmp_path / "a.png")


def test_large_frames_come_in_smaller_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_video(tmp_path / "a.mp4", 10)
    monkeypatch.setattr(clip_module, "CHUNK_PIXELS", 64 * 48 * 3)
    assert [len(chunk) for chunk in open_clip(tmp_path / "a.mp4").chunks(8)] == [3, 3, 3, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_8k_frames_take_memory_for_a_few_of_them(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--long"):
        pytest.skip("takes half a minute; asked for with --long")
    import subprocess

    build_video(tmp_path / "a.mp4", 6, size=(4320, 7680), options={"preset": "ultrafast"})
    script = (
        "import runpy,sys,resource;runpy.run_path(sys.argv[1]+'/animate.py')['load_pack']();"
        "from first_order_motion.animation.media.open_clip import open_clip;"
        "before=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "n=sum(len(c) for c in open_clip(sys.argv[2]).chunks(8));"
        "print(n,resource.getrusage(resource.RUSAGE_SELF).ru_maxrss-before)"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), str(tmp_path / "a.mp4")], capture_output=True, text=True, check=True
    )
    count, grown = (int(word) for word in done.stdout.split())
    assert count == 6 and grown < 1_500_000  # KiB; eight frames at once and their stack are 1.6 GB
