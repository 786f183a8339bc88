"""Draws `docs/models`, how each model describes movement: `python docs/make_model_pictures.py`.

Everything is shown on drawn faces in two poses, by the formulas of the pack. Where a figure needs a network, it is the
bundled one.
"""

from __future__ import annotations

import colorsys
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

ROOT: Final = Path(__file__).resolve().parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.inspection import FLOW, draw_flow, draw_points  # noqa: E402 (needs the pack)
from first_order_motion.animation.options import AnimateOptions  # noqa: E402
from first_order_motion.animation.predictor import Predictor  # noqa: E402
from first_order_motion.animation.retarget import Retargeting  # noqa: E402
from first_order_motion.core.layers.grid import make_coordinate_grid  # noqa: E402
from first_order_motion.core.types import Motion  # noqa: E402
from first_order_motion.module_articulate.covariance import expected_covariance, square_root  # noqa: E402
from first_order_motion.module_spline.thin_plate import fit  # noqa: E402
from first_order_motion.training.drawn.draw import paint  # noqa: E402
from first_order_motion.training.drawn.identity import Identity  # noqa: E402
from first_order_motion.training.drawn.pose import RANGES, Pose  # noqa: E402

FOLDER: Final = ROOT / "docs" / "models"
SIDE: Final = 224  # of each square that is drawn
OWN: Final = 128  # side of the bundled model's pictures
GAP: Final = 6
SEED: Final = 9

Corner = tuple[float, float]


def pose_of(**fields: float) -> Pose:
    """Return one pose, at rest but for the fields given in the shares of their ranges."""
    unit = torch.tensor([[fields.get(name, 0.5)] for name in RANGES])
    no = torch.zeros(1, dtype=torch.bool)
    return Pose.from_unit(unit, shut=no, wink=no, mute=torch.tensor(["mouth" not in fields]))


REST: Final = pose_of(smile=0.8)
MOVED: Final = pose_of(smile=0.8, tilt=0.8, yaw=0.8, x=0.65, y=0.4, mouth=0.9)


def shown(picture: Tensor) -> Image.Image:
    """Convert a picture (1, 3, H, W) to an image of SIDE pixels."""
    data = (picture[0].movedim(0, -1).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(data.numpy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def pixel(point: Tensor) -> Corner:
    """Return the pixel of a position in [-1, 1]."""
    place = (point + 1) / 2 * (SIDE - 1)
    return (float(place[0]), float(place[1]))


def colour(number: int, count: int) -> tuple[int, int, int]:
    """Return one of `count` colours that differ."""
    red, green, blue = colorsys.hsv_to_rgb(number / count, 0.95, 0.95)
    return (round(255 * red), round(255 * green), round(255 * blue))


def save(name: str, images: Sequence[Image.Image]) -> None:
    """Lay images in a row, in colours few enough for a small file."""
    whole = Image.new("RGB", ((SIDE + GAP) * len(images) - GAP, SIDE), (255, 255, 255))
    for index, image in enumerate(images):
        whole.paste(image, (index * (SIDE + GAP), 0))
    whole.quantize(160).save(FOLDER / f"{name}.png", optimize=True)


def outlined(image: Image.Image, outlines: Sequence[Sequence[Corner]]) -> Image.Image:
    """Draw closed outlines, each in a colour of its own."""
    pen = ImageDraw.Draw(image)
    for number, outline in enumerate(outlines):
        pen.line([*outline, outline[0]], fill=(0, 0, 0), width=5)
        pen.line([*outline, outline[0]], fill=colour(number, len(outlines)), width=3)
    return image


def squares_of(motion: Motion) -> list[list[Corner]]:
    """Return what each keypoint's jacobian makes of a small square around it."""
    assert motion.jacobians is not None
    corners = 0.07 * torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    maps = motion.jacobians[0] / motion.jacobians[0].det().abs().sqrt()[:, None, None].clamp_min(1e-3)
    return [
        [pixel(point + local @ corner) for corner in corners]
        for point, local in zip(motion.points[0], maps, strict=True)
    ]


def ellipse(centre: Tensor, covariance: Tensor) -> list[Corner]:
    """Return the outline two deviations around the centre of a region."""
    angle = torch.linspace(0, 2 * torch.pi, 60)
    circle = 2 * torch.stack([angle.cos(), angle.sin()], dim=-1)
    return [pixel(centre + square_root(covariance) @ place) for place in circle]


def regions(masks: Tensor) -> list[list[Corner]]:
    """Return the ellipses of regions (1, K, H, W), by Articulated Animation's covariances."""
    heat = masks / masks.sum(dim=(2, 3), keepdim=True)
    grid = make_coordinate_grid(masks.shape[2], masks.shape[3], heat)
    centres = (heat[..., None] * grid).sum(dim=(2, 3))
    spreads = expected_covariance(heat, centres, grid)
    return [ellipse(centre, spread) for centre, spread in zip(centres[0], spreads[0], strict=True)]


def bent(picture: Tensor) -> list[Image.Image]:
    """Draw a net over a picture, then both as a thin plate through five pairs of points bends them."""
    targets = torch.tensor([[-0.5, -0.4], [0.5, -0.4], [0.0, 0.1], [-0.35, 0.5], [0.35, 0.5]])
    points = targets + torch.tensor([[0.12, 0.1], [0.1, -0.12], [0.16, 0.0], [-0.04, 0.06], [-0.02, -0.1]])
    plate = fit(points[None, None], targets[None, None])  # looks from the result back into the picture
    net = shown(picture)
    pen = ImageDraw.Draw(net)
    for place in range(SIDE // 28, SIDE, SIDE // 14):
        pen.line([(place, 0), (place, SIDE)], fill=(255, 255, 255))
        pen.line([(0, place), (SIDE, place)], fill=(255, 255, 255))
    flat = torch.tensor([*net.tobytes()], dtype=torch.float32).view(1, SIDE, SIDE, 3).movedim(-1, 1) / 255
    looked = plate(make_coordinate_grid(SIDE, SIDE, flat))[:, 0]
    warped = F.grid_sample(flat, looked, padding_mode="border", align_corners=True)
    return [shown(draw_points(flat, targets[None])), shown(draw_points(warped, points[None]))]


def swapped(identities: Identity) -> list[Image.Image]:
    """Draw segments of a face, another face, and that with the first one's eyes and mouth."""
    one, other = (paint(identities[i : i + 1], REST) for i in (1, 2))
    tinted = one.pictures
    for number, mask in enumerate((one.parts[:, :1], one.parts[:, 1:], one.details)):
        paper = torch.tensor(colour(number, 3)).view(1, 3, 1, 1) / 255
        tinted = torch.lerp(tinted, paper.expand_as(tinted), 0.55 * mask)
    mask = F.avg_pool2d(F.max_pool2d(torch.maximum(one.details, other.details), 7, 1, 3), 5, 1, 2)
    return [shown(tinted), shown(other.pictures), shown(torch.lerp(other.pictures, one.pictures, mask))]


def refined(flow: Tensor) -> list[Image.Image]:
    """Draw a flow as coarse as it begins, finer, and finest."""
    side, coarse = flow.shape[-1], list[Image.Image]()
    still = make_coordinate_grid(side, side, flow).movedim(-1, 0)[None]
    for width in (32, 12, 1):
        shift = F.interpolate(F.avg_pool2d(flow - still, width), size=(side, side), mode="bilinear")
        coarse.append(shown(draw_flow(still + shift)))
    return coarse


def looked_up(source: Tensor, result: Tensor) -> list[Image.Image]:
    """Draw a picture cut into patches, and another of which every so many pixels are painted so far."""
    image, step = shown(source), SIDE // 8
    patches = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    for x in range(0, SIDE, step):
        for y in range(0, SIDE, step):
            patches.paste(image.crop((x, y, x + step - 3, y + step - 3)), (x, y))
    chosen = torch.rand(1, 1, OWN // 2, OWN // 2, generator=torch.Generator().manual_seed(SEED)) < 0.45
    seen = F.interpolate(chosen.float(), size=(OWN, OWN))
    return [patches, shown(result * seen + (1 - seen)), shown(result)]


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    identities = Identity.sample(3, torch.Generator().manual_seed(SEED))
    rest, moved = (paint(identities[:1], pose) for pose in (REST, MOVED))
    predictor = Predictor.load(device="cpu")
    with torch.inference_mode():
        poses = [predictor.animator.motion(picture) for picture in (rest.pictures, moved.pictures)]
        frames = [part.movedim(1, -1) for part in (rest.pictures, moved.pictures)]
        absolute = AnimateOptions(Retargeting("standard"))
        (mapped,) = predictor.animate_mapped(frames[0], frames[1], absolute)
    pictures = [rest.pictures, moved.pictures, mapped.pictures.float()]
    points = [poses[0].points, poses[1].points, poses[1].points]
    save("drawn", [shown(draw_points(one, at)) for one, at in zip(pictures, points, strict=True)])
    save("fomm", [outlined(shown(one), squares_of(pose)) for one, pose in zip(pictures, poses, strict=False)])
    masks = [torch.cat([part.parts, part.details], dim=1) for part in (rest, moved)]
    save("articulate", [outlined(shown(one), regions(mask)) for one, mask in zip(pictures, masks, strict=False)])
    save("spline", bent(rest.pictures))
    save("partswap", swapped(identities))
    save("mrfa", [shown(rest.pictures), *refined(mapped.maps[FLOW].float())])
    save("fsrt", looked_up(rest.pictures, moved.pictures))


if __name__ == "__main__":
    main()
