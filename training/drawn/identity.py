"""Identity of a drawn face: all that stays the same from frame to frame. Lengths are in half picture sides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .batch import Batch, Dice, either

SKIN = (
    (255, 224, 196), (247, 205, 170), (236, 188, 150), (224, 172, 125), (198, 140, 95),
    (170, 112, 72), (141, 85, 53), (110, 66, 42), (84, 50, 34), (250, 214, 205),
)  # fmt: skip
HAIR = (
    (30, 24, 24), (58, 38, 28), (92, 58, 36), (134, 84, 46), (176, 120, 60), (222, 184, 110),
    (240, 220, 160), (168, 60, 30), (205, 90, 40), (150, 150, 155), (225, 225, 228),
)  # fmt: skip
INK = ((25, 20, 25), (40, 25, 50), (20, 35, 60), (60, 30, 25))


@dataclass(frozen=True)
class Scene(Batch):
    """Backdrop: a wave between two colours, from plain to stripes and checks. It never moves."""

    near: Tensor  # (B, 3)
    far: Tensor  # (B, 3)
    angle: Tensor  # direction of the wave, radians
    frequency: Tensor  # radians per half picture side
    phase: Tensor
    contrast: Tensor  # gain before the sigmoid: small is a gradient, large is stripes
    weave: Tensor  # 0 stripes .. 1 checks and blobs

    @classmethod
    def sample(cls, dice: Dice) -> Scene:
        near = dice.colour((0.0, 0.8), (0.3, 1.0))
        far = either(dice.chance(0.2), near, dice.colour((0.0, 0.8), (0.3, 1.0)))
        busy = dice.chance(0.5)
        return cls(
            near=near,
            far=far + (near - far) * dice.uniform(0.0, 0.6)[:, None],
            angle=dice.uniform(0, 3.14),
            frequency=either(busy, dice.uniform(5, 16), dice.uniform(0.8, 2.5)),
            phase=dice.uniform(0, 6.28),
            contrast=either(dice.chance(0.5), dice.uniform(8, 20), dice.uniform(1, 3)),
            weave=dice.chance(0.5) * dice.uniform(0.5, 1),
        )


@dataclass(frozen=True)
class Style(Batch):
    """Manner of drawing: ink lines, soft or hard shading, hatching."""

    ink: Tensor  # (B, 3)
    line: Tensor  # line width
    lines: Tensor  # 0 or 1: whether shapes have an outline
    light: Tensor  # direction of the light, radians
    shade: Tensor  # strength of the shading, 0 is flat
    hardness: Tensor  # 1 soft .. 12 two tones
    hatch: Tensor  # strength of pen strokes in the shade

    @classmethod
    def sample(cls, dice: Dice) -> Style:
        return cls(
            ink=dice.among(INK),
            line=dice.uniform(0.012, 0.035),
            lines=dice.chance(0.55),
            light=dice.uniform(-3.1, 0.0),
            shade=dice.chance(0.7) * dice.uniform(0.08, 0.3),
            hardness=either(dice.chance(0.35), dice.uniform(6, 12), dice.uniform(0.8, 1.5)),
            hatch=dice.chance(0.15) * dice.uniform(0.1, 0.35),
        )


@dataclass(frozen=True)
class Head(Batch):
    """Head, ears, muzzle or beard, and cheeks."""

    width: Tensor
    height: Tensor
    jaw: Tensor  # < 0 narrow chin .. > 0 wide jaw
    skin: Tensor  # (B, 3)
    ear_size: Tensor
    ear_angle: Tensor  # where the ears sit: 0 at the sides .. -1.2 on top, radians
    ear_point: Tensor  # 0 round .. 1 pointed
    ear_inner: Tensor  # (B, 3)
    muzzle: Tensor  # opacity of muzzle or beard
    muzzle_size: Tensor
    muzzle_colour: Tensor  # (B, 3)
    cheek: Tensor  # opacity
    cheek_colour: Tensor  # (B, 3)
    freckles: Tensor  # opacity

    @classmethod
    def sample(cls, dice: Dice, animal: Tensor, hair: Tensor) -> Head:
        skin = dice.among(SKIN)
        fur = either(dice.chance(0.5), dice.among(HAIR), dice.colour((0.2, 0.8), (0.5, 1.0)))
        skin = either(animal, fur, either(dice.chance(0.12), dice.colour((0.2, 0.7), (0.5, 1.0)), skin))
        width = dice.uniform(0.38, 0.52)
        pale = skin + (1 - skin) * dice.uniform(0.35, 0.85)[:, None]
        blush = skin * torch.tensor([1.0, 0.68, 0.68]) + torch.tensor([0.12, 0.0, 0.02])
        return cls(
            width=width,
            height=width * dice.uniform(1.0, 1.32),
            jaw=dice.uniform(-0.3, 0.15),
            skin=skin,
            ear_size=either(animal, dice.uniform(0.16, 0.3), dice.uniform(0.08, 0.15)),
            ear_angle=either(animal, dice.uniform(-1.05, -0.6), dice.uniform(-0.15, 0.1)),
            ear_point=animal * dice.chance(0.5),
            ear_inner=either(dice.chance(0.5), blush, skin * 0.82),
            muzzle=either(animal, dice.chance(0.8), dice.chance(0.15) * dice.uniform(0.5, 1)),
            muzzle_size=dice.uniform(0.8, 1.2),
            muzzle_colour=either(animal, pale, hair),
            cheek=dice.chance(0.5) * dice.uniform(0.3, 0.9),
            cheek_colour=blush.clamp(0, 1),
            freckles=dice.chance(0.15) * dice.uniform(0.4, 0.9),
        )


@dataclass(frozen=True)
class Eyes(Batch):
    """Eyes and brows; positions in head half sizes."""

    spread: Tensor
    level: Tensor
    width: Tensor
    height: Tensor
    white: Tensor  # (B, 3)
    iris: Tensor  # (B, 3)
    iris_size: Tensor  # in eye heights
    pupil_size: Tensor  # in iris sizes
    lash: Tensor  # line width
    brow_gap: Tensor
    brow_length: Tensor
    brow_width: Tensor
    brow_slant: Tensor
    brow_arch: Tensor
    brow_colour: Tensor  # (B, 3)

    @classmethod
    def sample(cls, dice: Dice, hair: Tensor, ink: Tensor) -> Eyes:
        dots = dice.chance(0.2)
        width = either(dots, dice.uniform(0.045, 0.065), dice.uniform(0.085, 0.14))
        dark = dice.among(INK)
        return cls(
            spread=dice.uniform(0.34, 0.46),
            level=dice.uniform(-0.18, 0.05),
            width=width,
            height=width * either(dots, dice.uniform(1.0, 1.5), dice.uniform(0.65, 1.35)),
            white=either(dots, dark, dice.among(((255, 255, 255), (248, 246, 236)), 0.02)),
            iris=either(dots, dark, dice.colour((0.3, 0.9), (0.25, 0.8))),
            iris_size=dice.uniform(0.5, 0.75),
            pupil_size=dice.uniform(0.45, 0.8),
            lash=dice.uniform(0.01, 0.028),
            brow_gap=dice.uniform(0.09, 0.14),
            brow_length=dice.uniform(0.08, 0.13),
            brow_width=dice.uniform(0.01, 0.032),
            brow_slant=dice.uniform(-0.12, 0.28),
            brow_arch=dice.uniform(0.0, 2.5),
            brow_colour=either(dice.chance(0.6), hair * 0.8, ink),
        )


@dataclass(frozen=True)
class Mouth(Batch):
    """Mouth and nose; positions in head half sizes."""

    level: Tensor
    width: Tensor
    lip: Tensor  # (B, 3)
    lip_width: Tensor
    inside: Tensor  # (B, 3)
    teeth: Tensor  # opacity
    tongue: Tensor  # (B, 3)
    nose_level: Tensor
    nose_width: Tensor
    nose_height: Tensor
    nose_colour: Tensor  # (B, 3)

    @classmethod
    def sample(cls, dice: Dice, animal: Tensor, skin: Tensor, ink: Tensor) -> Mouth:
        red = dice.among(((190, 60, 70), (160, 50, 60), (215, 100, 105)))
        painted = dice.chance(0.4)
        shadow = skin * torch.tensor([0.8, 0.68, 0.66])
        return cls(
            level=dice.uniform(0.46, 0.58),
            width=dice.uniform(0.1, 0.19),
            lip=either(painted, red, ink),
            lip_width=either(painted, dice.uniform(0.02, 0.035), dice.uniform(0.012, 0.02)),
            inside=dice.among(((90, 20, 30), (60, 15, 25), (120, 40, 45))),
            teeth=dice.chance(0.7),
            tongue=dice.among(((225, 110, 115), (205, 90, 100))),
            nose_level=dice.uniform(0.14, 0.24),
            nose_width=either(animal, dice.uniform(0.05, 0.08), dice.uniform(0.03, 0.07)),
            nose_height=dice.uniform(0.03, 0.07),
            nose_colour=either(animal, dice.among(((40, 30, 35), (220, 130, 140), (70, 45, 40))), shadow),
        )


@dataclass(frozen=True)
class Hair(Batch):
    """Hair behind the head, puffs at its sides or on top, and a fringe over the forehead."""

    colour: Tensor  # (B, 3)
    back: Tensor  # 0 or 1
    volume: Tensor  # how far the back stands out
    drop: Tensor  # how far the back falls, in head heights
    curl: Tensor  # depth of the curls
    curls: Tensor  # number of curls
    puff: Tensor  # radius of bun or pigtails, 0 is none
    puff_x: Tensor
    puff_y: Tensor
    fringe: Tensor  # 0 or 1
    line: Tensor  # height of the hairline at the parting, in head heights
    part: Tensor  # where the parting is
    fall: Tensor  # how far the fringe falls beside the parting
    jag: Tensor  # depth of the strands
    jags: Tensor  # number of strands

    @classmethod
    def sample(cls, dice: Dice, animal: Tensor) -> Hair:
        none = either(animal, dice.chance(0.8), dice.chance(0.1))
        long = dice.chance(0.45)
        centre = dice.chance(0.4)
        puffs = dice.chance(0.3) * (1 - none)
        return cls(
            colour=either(dice.chance(0.7), dice.among(HAIR), dice.colour((0.4, 0.9), (0.4, 1.0))),
            back=1 - none,
            volume=dice.uniform(0.02, 0.14),
            drop=either(long, dice.uniform(0.6, 1.5), dice.uniform(-0.2, 0.3)),
            curl=dice.chance(0.4) * dice.uniform(0.01, 0.035),
            curls=dice.uniform(7, 16).round(),
            puff=puffs * dice.uniform(0.13, 0.24),
            puff_x=either(centre, dice.uniform(0.0, 0.05), dice.uniform(0.8, 1.15)),
            puff_y=either(centre, dice.uniform(-1.3, -1.1), dice.uniform(-0.9, 0.6)),
            fringe=(1 - none) * dice.chance(0.88),
            line=dice.uniform(-0.8, -0.4),
            part=dice.uniform(-0.7, 0.7),
            fall=dice.uniform(-0.25, 0.75),
            jag=dice.chance(0.5) * dice.uniform(0.03, 0.12),
            jags=dice.uniform(6, 16),
        )


@dataclass(frozen=True)
class Wear(Batch):
    """Glasses, hat and clothes."""

    glasses: Tensor  # 0 or 1
    lens: Tensor  # size
    square: Tensor  # 0 round .. 1 square
    frame: Tensor  # width of the frame
    frame_colour: Tensor  # (B, 3)
    tint: Tensor  # opacity of the lenses
    hat: Tensor  # 0 or 1
    hat_colour: Tensor  # (B, 3)
    band_colour: Tensor  # (B, 3)
    hat_level: Tensor
    crown: Tensor  # height of the crown
    taper: Tensor  # width at its top as a part of its foot
    brim: Tensor  # width of the brim beyond the crown
    peak: Tensor  # how far the brim moves with the face: 1 a cap's peak, 0 all round
    pompom: Tensor  # radius, 0 is none
    shirt: Tensor  # (B, 3)
    trim: Tensor  # (B, 3)
    stripes: Tensor  # waves per half picture side
    shoulders: Tensor  # half width

    @classmethod
    def sample(cls, dice: Dice) -> Wear:
        cloth = dice.colour((0.2, 0.95), (0.25, 1.0))
        shirt = dice.colour((0.0, 0.9), (0.2, 1.0))
        cap = dice.chance(0.4)
        return cls(
            glasses=dice.chance(0.28),
            lens=dice.uniform(0.12, 0.18),
            square=dice.chance(0.4),
            frame=dice.uniform(0.012, 0.03),
            frame_colour=either(dice.chance(0.6), dice.among(INK), dice.colour((0.4, 0.9), (0.3, 1.0))),
            tint=dice.chance(0.35) * dice.uniform(0.15, 0.5),
            hat=dice.chance(0.3),
            hat_colour=cloth,
            band_colour=either(dice.chance(0.5), cloth * 0.7, dice.colour((0.1, 0.9), (0.2, 1.0))),
            hat_level=dice.uniform(-0.62, -0.45),
            crown=dice.uniform(0.3, 0.6),
            taper=either(dice.chance(0.3), dice.uniform(0.1, 0.4), dice.uniform(0.7, 1.05)),
            brim=dice.chance(0.7) * dice.uniform(0.06, 0.3),
            peak=cap,
            pompom=dice.chance(0.3) * dice.uniform(0.06, 0.12),
            shirt=shirt,
            trim=either(dice.chance(0.4), shirt, dice.colour((0.0, 0.9), (0.2, 1.0))),
            stripes=dice.uniform(6, 24),
            shoulders=dice.uniform(0.5, 0.85),
        )


@dataclass(frozen=True)
class Identity(Batch):
    """Faces with their clothes, backdrops and manners of drawing, one per entry."""

    scene: Scene
    style: Style
    head: Head
    eyes: Eyes
    mouth: Mouth
    hair: Hair
    wear: Wear

    @classmethod
    def sample(cls, count: int, generator: torch.Generator) -> Identity:
        """Draw `count` random identities; the same generator state gives the same ones."""
        dice = Dice(count, generator)
        animal = dice.chance(0.22)
        style, hair = Style.sample(dice), Hair.sample(dice, animal)
        head = Head.sample(dice, animal, hair.colour)
        identity = cls(
            scene=Scene.sample(dice),
            style=style,
            head=head,
            eyes=Eyes.sample(dice, hair.colour, style.ink),
            mouth=Mouth.sample(dice, animal, head.skin, style.ink),
            hair=hair,
            wear=Wear.sample(dice),
        )
        return toned(identity, dice)


def toned(identity: Identity, dice: Dice) -> Identity:
    """Give some identities a narrow palette: every colour is pulled towards one tint of its own grey."""
    strength = dice.chance(0.15) * dice.uniform(0.5, 0.9)
    tint = 1 + 0.35 * (dice.colour((0.3, 0.9), (1.0, 1.0)) - 0.6)

    def pull(value: Tensor) -> Tensor:
        if value.dim() != 2:
            return value
        grey = (value.mean(1, keepdim=True) * tint).clamp(0, 1)
        return value + (grey - value) * strength[:, None]

    return identity.map(pull)
