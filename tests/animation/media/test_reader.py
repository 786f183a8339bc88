"""Clips read from files: true lengths, exact rates, upright pictures, and what damaged files still give."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import av.logging
import numpy as np
import pytest
import torch
from first_order_motion.animation.media.frame_rate import clip_rate, exact_rate
from first_order_motion.animation.media.orientation import Orientation
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.core.errors import InputError, MediaError
from support.media_files import all_frames, build_sound, build_video
from torch import Tensor

NTSC = Fraction(30000, 1001)


def mean_error(clip: VideoClip, pictures: Tensor) -> float:
    """Mean difference in grey levels to pictures (N, 3, H, W)."""
    return float((all_frames(clip).float() - pictures.permute(0, 2, 3, 1).float()).abs().mean())


@pytest.mark.parametrize(
    ("name", "codec", "tolerance"),
    [
        ("a.mp4", "libx264", 3),
        ("a.mov", "libx264", 3),
        ("a.mkv", "libx264", 3),
        ("a.ts", "libx264", 3),
        ("a.webm", "libvpx-vp9", 5),
        ("a.webm", "libvpx", 5),
        ("a.avi", "mpeg4", 10),
        ("a.gif", "gif", 30),
    ],
)
def test_formats(tmp_path: Path, name: str, codec: str, tolerance: float) -> None:
    pictures = build_video(tmp_path / name, 30, codec=codec)
    clip = VideoClip(str(tmp_path / name))
    assert len(clip) == 30 and clip.fps == 25 and not clip.has_audio and clip.path == tmp_path / name
    assert mean_error(clip, pictures) < tolerance
    assert len(clip) == 30


@pytest.mark.parametrize("fps", [NTSC, Fraction(24000, 1001), Fraction(25), Fraction(60), Fraction(12)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_rates_are_exact(tmp_path: Path, fps: Fraction, name: str) -> None:
    build_video(tmp_path / name, 40, fps=fps)
    assert VideoClip(tmp_path / name).fps == fps


def test_chunks_have_the_asked_size(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 10, audio="aac")
    clip = VideoClip(tmp_path / "a.mp4")
    assert [chunk.shape for chunk in clip.chunks(4)] == [(4, 48, 64, 3), (4, 48, 64, 3), (2, 48, 64, 3)]
    assert next(clip.chunks(3)).dtype == torch.uint8
    assert clip.has_audio
    with pytest.raises(InputError):
        next(clip.chunks(0))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx-vp9"), ("a.gif", "gif")])
def test_single_frames_are_those_of_the_pass_before_and_after_it(tmp_path: Path, name: str, codec: str) -> None:
    build_video(tmp_path / name, 40, codec=codec, options={"g": "9"})
    clip = VideoClip(tmp_path / name)
    before = {i: clip.frame(i) for i in (0, 11, 39)}
    frames = all_frames(clip)
    for i in (0, 8, 9, 10, 11, 25, 39):
        assert torch.equal(clip.frame(i)[0], frames[i])
    assert all(torch.equal(frame[0], frames[i]) for i, frame in before.items())
    for index in (-1, 40):
        with pytest.raises(InputError, match="0 to 39"):
            clip.frame(index)


@pytest.mark.parametrize("colourspace", ["bt709", "smpte170m"])
def test_colours_follow_the_tagged_matrix(tmp_path: Path, colourspace: str) -> None:
    matrix = {"bt709": "ITU709", "smpte170m": "ITU601"}[colourspace]
    picture = np.broadcast_to(np.array([30, 200, 40], np.uint8), (48, 64, 3))
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"colorspace": colourspace, "crf": "1"})
        stream.height, stream.width = 48, 64
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=matrix)))
        container.mux(stream.encode(None))
    found = VideoClip(tmp_path / "a.mp4").frame(0)[0, 24, 32]
    assert (found.int() - torch.tensor([30, 200, 40])).abs().max() <= 3


def test_variable_rate_plays_in_the_same_time(tmp_path: Path) -> None:
    times = [40 * i if i < 20 else 800 + 120 * (i - 20) for i in range(40)]
    for name in ("a.mp4", "a.mkv"):
        build_video(tmp_path / name, 40, times_ms=times)
        clip = VideoClip(tmp_path / name)
        assert len(clip) == 40
        assert float(40 / clip.fps) == pytest.approx(3.2, rel=0.05)
        assert all_frames(clip).shape[0] == 40


def turn(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write the display matrix of the first track into an mp4."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # the matrix of a version 0 header
    content[start : start + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((0, 1, -1, 0), lambda p: torch.rot90(p, -1, (1, 2))),  # held upright: shown a quarter turn clockwise
        ((-1, 0, 0, -1), lambda p: torch.rot90(p, 2, (1, 2))),
        ((0, -1, 1, 0), lambda p: torch.rot90(p, 1, (1, 2))),
        ((-1, 0, 0, 1), lambda p: p.flip(2)),
    ],
)
def test_phone_videos_come_upright(tmp_path: Path, matrix: tuple[int, int, int, int], upright) -> None:
    build_video(tmp_path / "a.mp4", 6)
    stored = all_frames(VideoClip(tmp_path / "a.mp4"))
    turn(tmp_path / "a.mp4", *matrix)
    clip = VideoClip(tmp_path / "a.mp4")
    assert torch.equal(all_frames(clip), upright(stored))
    assert torch.equal(clip.frame(2)[0], upright(stored)[2])


def test_mirrored_transposition() -> None:
    picture = torch.arange(6).reshape(2, 3, 1)
    assert Orientation(transposed=True, flip_x=True, flip_y=True).upright(picture).squeeze().tolist() == [
        [5, 2],
        [4, 1],
        [3, 0],
    ]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx-vp9"), ("a.mkv", "libx264")])
def test_of_a_truncated_file_the_frames_that_decode_are_used(
    tmp_path: Path, name: str, codec: str, share: float
) -> None:
    whole, cut = tmp_path / name, tmp_path / f"cut_{name}"
    index_first = {"movflags": "+faststart"} if name.endswith("mp4") else {}
    pictures = build_video(whole, 60, codec=codec, options={"g": "12"}, container_options=index_first)
    content = whole.read_bytes()
    head = 2500  # the index of the mp4
    cut.write_bytes(content[: head + int((len(content) - head) * share)])
    clip = VideoClip(cut)
    counted = len(clip)
    frames = all_frames(clip)
    assert 0 < frames.shape[0] <= counted <= 60 and (share > 0.8 or counted < 60)
    assert len(clip) == frames.shape[0]  # corrected by the pass
    assert torch.equal(all_frames(clip, 1), frames)
    assert torch.equal(clip.frame(len(clip) - 1)[0], frames[-1])
    assert abs(clip.fps - 25) < Fraction(1, 10)
    assert (frames[0].float() - pictures[0].permute(1, 2, 0).float()).abs().mean() < 5


def test_damage_in_the_middle_loses_only_what_it_hit(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    build_video(path, 60, options={"g": "10", "bf": "0"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(60)
    path.write_bytes(content)
    clip = VideoClip(path)
    frames = all_frames(clip)
    assert 40 <= frames.shape[0] <= 60 and len(clip) == frames.shape[0]
    assert torch.equal(clip.frame(len(clip) - 1)[0], frames[-1])


def test_hidden_reference_frames_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    build_video(path, 20, codec="libvpx")
    with av.open(str(path)) as container:
        packet = [bytes(packet) for packet in container.demux(video=0)][12]
    content = path.read_bytes()
    assert content.count(packet) == 1
    path.write_bytes(content.replace(packet, bytes([packet[0] & ~0x10]) + packet[1:]))
    clip = VideoClip(path)
    assert len(clip) == 19 and all_frames(clip).shape[0] == 19 and clip.fps == 25


def test_unusable_files_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello world\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.mp4").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    build_video(tmp_path / "whole.mp4", 30)
    (tmp_path / "headless.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:2000])
    build_sound(tmp_path / "sound.m4a", "aac", 0.5)
    for name in ("text.mp4", "empty.mp4", "list.mp4", "concat.mp4", "headless.mp4", "sound.m4a", "missing.mp4", "."):
        with pytest.raises(MediaError, match=r"wanted.*\.$") as caught:
            VideoClip(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_file_of_which_no_frame_decodes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    build_video(path, 5)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    with pytest.raises(MediaError, match="0 frames"):
        VideoClip(path)


def test_rates() -> None:
    assert exact_rate(29.97) == NTSC and exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(25) == 25 and exact_rate(12.5) == Fraction(25, 2) and exact_rate(Fraction(7, 3)) == Fraction(7, 3)
    for fps in (0, -1, float("nan"), float("inf"), 500_000):
        with pytest.raises(InputError, match="fps is"):
            exact_rate(fps)
    ms = Fraction(1, 1000)
    assert clip_rate(Fraction(1000), [0, 40, 80, 120], ms) == 25  # a header that lies
    assert clip_rate(None, [0], ms) == 25 and clip_rate(Fraction(10), [], None) == 10
    assert clip_rate(NTSC, [0, 33, 67, 100, 133], ms) == NTSC


def test_a_clip_is_closed_while_its_decoder_writes_messages(tmp_path: Path) -> None:
    """Older versions of torchvision switch FFmpeg's messages on, in which closing a file could wait for ever."""
    build_video(tmp_path / "a.webm", 30, codec="libvpx-vp9")
    av.logging.set_level(av.logging.DEBUG)
    try:
        for _ in range(20):
            VideoClip(tmp_path / "a.webm")
        assert av.logging.get_level() is None
    finally:
        av.logging.set_level(None)


@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "libx264"), ("clip.avi", "mpeg4")])
def test_frames_from_any_one_on(tmp_path: Path, name: str, codec: str) -> None:
    build_video(tmp_path / name, 30, codec=codec, options={"g": "10"})
    clip = VideoClip(tmp_path / name)
    for passed in (False, True):
        whole = all_frames(clip) if passed else all_frames(VideoClip(tmp_path / name))
        for start in (0, 1, 13, 29):
            assert torch.equal(torch.cat([*clip.chunks_from(start, 4)]), whole[start:])
