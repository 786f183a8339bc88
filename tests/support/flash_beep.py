"""Clips that flash and beep together at known times, and the times at which a file does so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.animation.media.writer import open_writer
from numpy.typing import NDArray

LENGTH = Fraction(1, 8)  # seconds of a flash or beep
FINE = Fraction(1, 90000)


@dataclass(frozen=True)
class Clip:
    """Recipe of a file: times of its frames, seconds of its events, codecs, and where its sound begins and has gaps."""

    times: Sequence[Fraction]
    events: Sequence[Fraction]
    video: str = "libx264"
    sound: str | None = "aac"
    sample_rate: int = 48000
    sound_start: Fraction = Fraction(0)  # on the file's clock, of which the first frame has `video_start`
    video_start: Fraction = Fraction(0)
    silent: tuple[Fraction, Fraction] | None = None  # packets that are left out
    rate: Fraction | None = None

    @property
    def flashes(self) -> list[Fraction]:
        """Times of the frames with which flashes begin."""
        return [min(time for time in self.times if time >= event) for event in self.events]


def even_times(rate: Fraction | int, seconds: float, drop: Sequence[int] = ()) -> list[Fraction]:
    """Times at a constant rate, without the frames that are dropped."""
    return [number / Fraction(rate) for number in range(round(seconds * rate)) if number not in drop]


def build(path: Path, clip: Clip, form: str | None = None) -> Path:
    """Write the file that a recipe describes."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(clip.video, rate=clip.rate or 25, options={"g": "12"})
        stream.width = stream.height = 64
        stream.pix_fmt = "rgb8" if clip.video == "gif" else "yuv420p"
        if clip.rate is None:
            stream.codec_context.time_base = Fraction(1, 100) if clip.video == "gif" else FINE
        sound = _sound_stream(container, clip) if clip.sound else None
        tick = stream.codec_context.time_base if clip.rate is None else 1 / clip.rate
        for time in clip.times:
            frame = av.VideoFrame.from_ndarray(_picture(clip, time), format="rgb24")
            frame.pts, frame.time_base = round((time + clip.video_start) / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _write_sound(container, sound, clip)
    return path


def _picture(clip: Clip, time: Fraction) -> NDArray[np.uint8]:
    lit = any(
        event <= time < event + LENGTH or time == flash for event, flash in zip(clip.events, clip.flashes, strict=True)
    )
    return np.full((64, 64, 3), 255 if lit else 16, np.uint8)


def _sound_stream(container, clip: Clip):
    sound = container.add_stream(clip.sound, rate=clip.sample_rate)
    sound.layout = "mono"
    return sound


def _write_sound(container, sound, clip: Clip) -> None:
    rate, wave = clip.sample_rate, tone(clip)
    for start in range(0, len(wave), 1024):
        part = wave[None, start : start + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, start + round(clip.sound_start * rate), Fraction(1, rate)
        _mux_sound(container, sound.encode(frame), clip)
    _mux_sound(container, sound.encode(None), clip)


def _mux_sound(container, packets, clip: Clip) -> None:
    for packet in packets:
        time = packet.pts * packet.time_base
        if clip.silent is None or not clip.silent[0] <= time < clip.silent[1]:
            container.mux(packet)


def tone(clip: Clip) -> NDArray[np.float64]:
    """Samples from the start of the sound on, with a beep at each event."""
    rate = clip.sample_rate
    count = round((clip.times[-1] + Fraction(1, 10) + clip.video_start - clip.sound_start) * rate)
    time = np.arange(count) / rate + float(clip.sound_start - clip.video_start)
    heard = np.zeros(count, bool)
    for event in clip.events:
        heard |= (time >= float(event)) & (time < float(event + LENGTH))
    return 0.6 * np.sin(2 * np.pi * 1000 * time) * heard


def carried(source: Path, output: Path) -> Path:
    """Write a clip's own frames, as a model would that changes nothing."""
    clip = open_clip(source)
    with open_writer(output, clip.times, clip.sound) as writer:
        for chunk in clip.chunks(8):
            writer.write(chunk.movedim(-1, 1))
    return output


def flashes(path: Path) -> list[float]:
    """Times at which a file turns white, by the stamps of its decoded frames."""
    with av.open(str(path)) as container:
        rows = [
            (float(f.pts * f.time_base), f.to_ndarray(format="gray").mean() > 128) for f in container.decode(video=0)
        ]
    return [time for number, (time, lit) in enumerate(rows) if lit and (number == 0 or not rows[number - 1][1])]


def beeps(path: Path) -> list[float]:
    """Times at which a file begins to sound, by the stamps of its decoded sound."""
    waves, times = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    with av.open(str(path)) as container:
        to_float = av.AudioResampler(format="fltp", layout="mono")
        for frame in container.decode(audio=0):
            start = float(frame.pts * frame.time_base)
            wave = np.concatenate([part.to_ndarray()[0] for part in to_float.resample(frame)])
            waves.append(np.abs(wave.astype(np.float64)))
            times.append(start + np.arange(len(wave)) / frame.rate)
    wave, time = np.concatenate(waves), np.concatenate(times)
    loud = time[wave > 0.4 * wave.max()]
    return [float(t) for t in loud[np.r_[True, np.diff(loud) > 0.1]]]
