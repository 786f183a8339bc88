"""What the server tests feed ComfyUI: weights in the published container, a portrait, driving clips."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from math import nan
from pathlib import Path

import av
import numpy as np
import torch
from first_order_motion.module_fsrt.animator import FSRTAnimator
from first_order_motion.module_mrfa.animator import MRFAAnimator
from parity.seeded_weights import load_pack
from PIL import Image
from support.architectures import FSRT, MRFA, seeded
from support.enhancers import compact_state
from torch import Tensor

PARITY = Path(__file__).resolve().parent.parent / "parity"
FRAMES = 6  # of driving.mp4: a second on the screen, several to compute
SAMPLE_RATE = 44100


def write_upscaler(path: Path) -> None:
    """A tiny upscaler by 2, as ComfyUI's own node loads them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(compact_state(2), path)


def write_fomm_checkpoint(path: Path) -> None:
    """Seeded weights as the FOMM authors publish theirs: an old, non-zip pickle of one dictionary."""
    networks = networks_of(PARITY / "fomm" / "vox")
    stub = torch.nn.Conv2d(3, 8, 4)
    content = {
        **networks,
        "discriminator": stub.state_dict(),
        **{f"optimizer_{name}": used_optimizer(stub) for name in (*networks, "discriminator")},
        "epoch": 99,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_spline_checkpoint(path: Path) -> None:
    """Seeded weights as the Thin-Plate Spline authors publish theirs: a zip, whatever its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**networks_of(PARITY / "spline" / "vox-256"), "epoch": 99}, path)


def write_articulate_checkpoint(path: Path) -> None:
    """Seeded weights as the authors of Articulated Animation publish theirs: an old, non-zip pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**networks_of(PARITY / "articulate" / "vox256"), "epoch_reconstruction": 99}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_partswap_checkpoints(folder: Path) -> None:
    """Seeded part swaps in both published layouts: vox-10segments in its own, vox-15segments in FOMM's."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({**networks_of(PARITY / "partswap" / "seg10"), "epoch": 99}, folder / "vox-10segments.pth.tar")
    parts = networks_of(PARITY / "partswap" / "seg15")
    names = {"shift": "kp", "affine": "jacobian", "segmentation": "semantic_seg"}
    renamed = OrderedDict(
        (names.get(key.split(".")[0], key.split(".")[0]) + "." + key.partition(".")[2], tensor)
        for key, tensor in parts["segmentation_module"].items()
    )
    content = {"generator": parts["reconstruction_module"], "kp_detector": renamed, "epoch": 99}
    torch.save(content, folder / "vox-15segments.pth.tar", _use_new_zipfile_serialization=False)


def write_face_parser(path: Path) -> None:
    """A seeded BiSeNet as published: one plain state dict."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        networks_of(PARITY / "face_parsing" / "celebamask19")["network"], path, _use_new_zipfile_serialization=False
    )


def write_mrfa_checkpoint(path: Path) -> None:
    """Seeded weights as the MRFA authors publish theirs: one flat state from several devices, the losses' networks
    in it, and the optimizer's moments beside it. At 256 pixels, but narrow: at full width a frame takes seconds.
    """
    narrow = replace(MRFA, size=256, encoder=replace(MRFA.encoder, heads=8))
    state = seeded(MRFAAnimator(narrow)).state_dict()
    state |= {"model.vgg.slice1.0.weight": torch.zeros(64, 3, 3, 3)}
    state |= {"model.pyramid.downs.1.weight": torch.full((3, 1, 1, 1), nan)}
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"model": {key.replace("model.", "module.", 1): value for key, value in state.items()}, "epoch": 99}
    torch.save(content | {"optimizer": used_optimizer(torch.nn.Conv2d(3, 8, 4))}, path)


def write_fsrt_checkpoints(folder: Path) -> None:
    """Seeded weights as the FSRT authors publish theirs: models with a trainer's leftovers, the detector apart.

    Of a small network, as the files' tensors say: a frame of the full one takes a minute on two cores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    networks = {name: part.state_dict() for name, part in seeded(FSRTAnimator(FSRT)).named_children()}
    torch.save(networks.pop("kp_detector"), folder / "kp_detector.pt")
    for name in ("vox256.pt", "vox256_2Source.pt"):
        torch.save({**networks, "epoch_it": 99, "loss_val_best": np.float64(0.1), "run_id": "abc"}, folder / name)


def networks_of(pack: Path) -> dict[str, OrderedDict[str, Tensor]]:
    """The state dicts of a parity pack, by component."""
    return {name: to_tensors(state) for name, state in load_pack(pack)[1].items()}


def to_tensors(state: Mapping[str, np.ndarray]) -> OrderedDict[str, Tensor]:
    return OrderedDict((key, torch.from_numpy(np.asarray(value))) for key, value in state.items())


def used_optimizer(network: torch.nn.Module) -> dict[str, object]:
    """The state of an Adam that has made one step, so that it holds tensors."""
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def write_source(path: Path) -> None:
    Image.fromarray(np.load(PARITY / "inputs.npz")["source"]).save(path)


def driving_frames(count: int) -> list[np.ndarray]:
    """`count` different frames: the five driving pictures in turn, each moved a little further."""
    pictures = np.load(PARITY / "inputs.npz")["driving"]
    return [np.roll(pictures[i % len(pictures)], i // len(pictures), axis=1) for i in range(count)]


def write_driving(path: Path, frames: int, fps: int = FRAMES) -> None:
    """An mp4 of `frames` frames with a stereo tone of the same length."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 256, 256, "yuv420p"
        audio = out.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        for picture in driving_frames(frames):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        out.mux(video.encode(None))
        out.mux(audio.encode(tone(frames / fps)))
        out.mux(audio.encode(None))


def tone(seconds: float) -> av.AudioFrame:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    return frame


def clip_facts(path: Path) -> tuple[int, float, float]:
    """Frames, seconds of video and seconds of audio (0 without a track) of a clip, by decoding all of it."""
    with av.open(str(path)) as clip:
        frames = sum(1 for _ in clip.decode(video=0))
        rate = clip.streams.video[0].average_rate
    with av.open(io.BytesIO(path.read_bytes())) as clip:
        tracks = clip.streams.audio
        audio = sum(f.samples / f.sample_rate for f in clip.decode(tracks[0])) if tracks else 0.0
    assert rate is not None
    return frames, float(frames / rate), audio
