"""Video and sound files built for tests, and the means to look into written ones."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from first_order_motion.animation.media.reader import VideoClip
from torch import Tensor

SAMPLE_RATE = 48000
CODING = 0.015  # mean difference that h264 may make


def moving_pictures(count: int, height: int = 48, width: int = 64) -> Tensor:
    """Smooth pictures uint8 (N, 3, H, W), each unlike the others."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    phase = torch.linspace(0, 1, count).view(-1, 1, 1)
    red, green, blue = (x + phase) / 2, (y + phase) / 2, ((x + y) / 2 + 1 - phase) / 2
    return (torch.stack((red, green, blue), dim=1) * 255).round().to(torch.uint8)


def all_frames(clip: VideoClip, size: int = 7) -> Tensor:
    """Every picture of a video, read `size` at a time: uint8 (N, H, W, 3)."""
    return torch.cat(list(clip.chunks(size)))


def build_video(
    path: Path,
    count: int = 30,
    *,
    fps: Fraction = Fraction(25),
    codec: str = "libx264",
    audio: str | None = None,
    audio_seconds: float | None = None,
    times_ms: list[int] | None = None,
    size: tuple[int, int] = (48, 64),
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Tensor:
    """Write a file with `count` moving pictures and a tone; `times_ms` sets the time of every frame."""
    pictures = moving_pictures(count, *size)
    with av.open(str(path), "w", options=container_options or {}) as container:
        video = container.add_stream(codec, rate=fps, options=options or {})
        video.height, video.width = size
        video.pix_fmt = {"gif": "rgb8"}.get(codec, "yuv420p")
        sound = container.add_stream(audio, rate=SAMPLE_RATE) if audio else None
        if sound is not None:
            sound.layout = "mono"
            _encode_tone(container, sound, audio_seconds or count / float(fps))
        if times_ms is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
            frame.pts, frame.time_base = (times_ms[i], Fraction(1, 1000)) if times_ms else (i, 1 / fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return pictures


def build_sound(path: Path, codec: str, seconds: float) -> None:
    """Write a file with a tone and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=SAMPLE_RATE)
        stream.layout = "mono"
        _encode_tone(container, stream, seconds)


def _encode_tone(container, stream, seconds: float) -> None:
    total = round(seconds * SAMPLE_RATE)
    for start in range(0, total, 1024):
        time = np.arange(start, min(start + 1024, total), dtype=np.float32) / SAMPLE_RATE
        frame = av.AudioFrame.from_ndarray(np.sin(time * 2764)[None] * 0.5, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def sound_packets(path: Path) -> list[bytes]:
    """The encoded sound, packet by packet."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def sound_seconds(path: Path) -> float:
    """How long the decoded sound lasts."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate


def sound_codec(path: Path) -> str | None:
    """The name of the sound's codec, or None without sound."""
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec.canonical_name if container.streams.audio else None


def check_shows(video: Path, made: Tensor) -> None:
    """A video shows frames (T, H, W, 3) in [0, 1], but for what coding changes, and they move."""
    shown = all_frames(VideoClip(video)) / 255
    assert shown.shape == made.shape
    assert (shown - made).abs().mean() < CODING
    assert (made[1:] - made[:1]).abs().mean() > 4 * CODING
