"""The training pack: steps of the published loop, by our networks and losses, named as the pack names them."""

import functools
from pathlib import Path

import numpy as np
import torch
from first_order_motion.core.layers.grid import warp
from first_order_motion.core.types import Motion
from first_order_motion.core.weights.build import load_strict
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import FOMMConfig, from_published
from first_order_motion.training.data.batch import Batch
from first_order_motion.training.discriminator import Verdict
from first_order_motion.training.losses import equivariance
from first_order_motion.training.objectives.base import Comparison, Losses
from first_order_motion.training.objectives.fomm import FOMMObjective
from first_order_motion.training.objectives.params import DiscriminatorParams, FOMMLossWeights
from first_order_motion.training.perceptual import VGG19
from first_order_motion.training.transform import Transform
from seeded_weights import load_pack
from support.parity_common import Arrays, undrawn
from torch import Tensor, nn

PACK = Path(__file__).resolve().parent.parent / "parity" / "training"
KEPT = np.s_[:, :, 1::4, 2::4]


@functools.cache
def pack() -> tuple[dict, dict[str, Arrays], Arrays]:
    """Manifest, drawn states by component, and inputs."""
    manifest, states = load_pack(PACK)
    return manifest, states, dict(np.load(PACK / "inputs.npz"))


def filled(network: nn.Module, component: str) -> nn.Module:
    """Load what the pack draws for a component."""
    state = {key: torch.from_numpy(value) for key, value in pack()[1][component].items()}
    load_strict(network, state, component)
    return network


class RememberingVGG19(VGG19):
    """VGG19 that has seen a picture before: the target is the same in every step of the pack, and half of the work."""

    def __init__(self) -> None:
        super().__init__()
        self.remembered: dict[int, tuple[Tensor, list[Tensor]]] = {}

    def forward(self, picture: Tensor) -> list[Tensor]:
        if torch.is_grad_enabled():
            return super().forward(picture)
        seen = self.remembered.get(picture.shape[-1])
        if seen is None or not torch.equal(seen[0], picture):
            self.remembered[picture.shape[-1]] = seen = picture, super().forward(picture)
        return seen[1]


@functools.lru_cache(maxsize=1)
def vgg(dtype: torch.dtype) -> VGG19:
    with undrawn():
        return filled(RememberingVGG19(), "vgg19").to(dtype)


def params_of(variant: str) -> DiscriminatorParams:
    manifest = pack()[0]
    sizes = manifest["config"]["discriminator_params"] | manifest["discriminator_variants"][variant]
    return DiscriminatorParams(**{name: tuple(v) if isinstance(v, list) else v for name, v in sizes.items()})


def transform(dtype: torch.dtype, prefix: str = "") -> Transform:
    inputs = pack()[2]
    theta, weights, centres = (
        torch.from_numpy(inputs[name]).to(dtype)
        for name in (f"{prefix}theta", f"{prefix}control_params", "control_points")
    )
    return Transform(theta, weights[:, 0], centres[0])


class Loop:
    """The training loop of a case; what happens is noted in `seen` under the pack's names."""

    def __init__(self, case: dict, dtype: torch.dtype) -> None:
        manifest, _, inputs = pack()
        train, self.variant, self.aligned = manifest["train"], case["discriminator"], case["align_corners"]
        config: FOMMConfig = from_published({"model_params": manifest["config"]})
        animator = FOMMAnimator(
            FOMMConfig(**{f: getattr(config, f) for f in config.__slots__} | {"align_corners": self.aligned}), 128
        )
        weights = train["loss_weights"] | case["loss_weights_changed"]
        self.objective = FOMMObjective(
            animator,
            FOMMLossWeights(**{name: tuple(v) if isinstance(v, list) else v for name, v in weights.items()}),
            Comparison(vgg(dtype), tuple(train["scales"])),
            params_of(self.variant) if self.variant else None,
        )
        self.critic = self.objective.discriminator_objective
        for name, network in self.objective.networks.items():
            filled(network, name)
        if self.critic is not None:
            filled(self.critic.discriminator, self.variant)
            self.critic.to(dtype)
        self.objective.to(dtype).train(case["mode"] == "train")
        pictures = (torch.from_numpy(inputs[n].astype(np.float32) / 255).movedim(-1, 1) for n in ("source", "driving"))
        self.batch = Batch(*(p.to(dtype) for p in pictures), torch.arange(2))
        self.transform = transform(dtype)
        self.seen: Arrays = {}
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), train[f"lr_{name}"], tuple(train["adam_betas"]))
            for name, network in self.networks.items()
        }

    @property
    def networks(self) -> dict[str, nn.Module]:
        return self.objective.networks | ({} if self.critic is None else self.critic.networks)

    def note(self, prefix: str = "", **values: Tensor | float) -> None:
        self.seen |= {prefix + name: torch.as_tensor(value).detach().numpy().copy() for name, value in values.items()}

    def note_losses(self, prefix: str, losses: Losses) -> None:
        self.note(f"{prefix}loss.", **losses.terms, total=losses.total)

    def note_gradients(self, prefix: str, components: list[str]) -> None:
        order = pack()[0]["parameter_order"]
        for name in components:
            parameters = dict(self.networks[name].named_parameters())
            keys = order[self.variant if name == "discriminator" else name]
            assert {*keys} == parameters.keys()
            norms = torch.stack([parameters[key].grad.norm() for key in keys])
            self.note(prefix, **{f"grad_norms.{name}": norms, f"grad_norm.{name}": norms.norm()})
            self.note(f"{prefix}grad.{name}.", **{key: parameters[key].grad for key in keys})

    def note_verdicts(self, prefix: str, verdicts: list[list[Verdict]]) -> None:
        generated, real = (each[0] for each in verdicts)
        self.note(prefix, disc_map_generated=generated.map, disc_map_real=real.map)
        differences = [(a - b).abs().mean() for a, b in zip(real.features, generated.features, strict=True)]
        self.note(prefix, feature_matching_terms=torch.stack(differences))

    def generator_step(self, prefix: str = "") -> Tensor:
        """One forward and backward of generator and keypoint detector; returns the prediction."""
        kept: list[Tensor] = []
        hook = self.objective.perceptual.register_forward_hook(lambda _m, _i, out: kept.append(out))
        verdicts = self.watch()
        losses = self.objective(self.batch, self.transform)
        hook.remove()
        losses.total.backward()
        self.note_losses(prefix, losses)
        self.note(prefix, perceptual_terms=kept[0])
        if self.critic is not None:
            self.note_verdicts(prefix, verdicts)
        self.note_gradients(prefix, [*self.networks])
        if not prefix:
            self.note_outputs(losses.outputs)
        self.points = losses.outputs["kp_driving"]
        return losses.outputs["prediction"]

    def watch(self) -> list[list[Verdict]]:
        """Verdicts of the passes through the discriminator from now to the second."""
        seen: list[list[Verdict]] = []
        if self.critic is not None:
            hook = self.critic.discriminator.register_forward_hook(lambda _m, _i, out: (seen.append(out), drop())[1])

            def drop() -> None:
                if len(seen) == 2:
                    hook.remove()

        return seen

    def note_outputs(self, outputs: dict[str, Tensor]) -> None:
        outputs = dict(outputs)
        if self.aligned:  # what the published code would show of it; our networks resize flows without aligning
            outputs["deformed"] = warp(self.batch.source, outputs["deformation"], True, True)
        for name in ("prediction", "transformed_frame", "deformed", "mask", "occlusion_map"):
            full = outputs[name]
            self.note(**{name: full, f"{name}.mean": full.mean(), f"{name}.std": full.std(correction=0)})
        for name in ("kp_source", "kp_driving", "transformed_kp"):
            self.note(**{f"{name}.value": outputs[name], f"{name}.jacobian": outputs[f"{name}.jacobian"]})
        for name, network in self.networks.items():
            self.note(f"buffer.{name}.", **dict(network.named_buffers()))

    def discriminator_step(self, prediction: Tensor, points: Tensor, prefix: str = "") -> None:
        """One forward and backward of the discriminator."""
        self.critic.zero_grad()
        verdicts = self.watch()
        losses = self.critic(self.batch.driving, prediction, points)
        losses.total.backward()
        self.note_losses(prefix, losses)
        self.note_verdicts(prefix, verdicts)
        self.note_gradients(prefix, ["discriminator"])

    def adam(self, components: list[str], prefix: str = "") -> None:
        """One step of the components' optimizers, then no gradients any more."""
        for name in components:
            network = self.networks[name]
            before = {key: value.detach().clone() for key, value in network.named_parameters()}
            self.optimizers[name].step()
            network.zero_grad()
            self.note(f"{prefix}param.{name}.", **dict(network.named_parameters()))
            moved = {key: value - before[key] for key, value in network.named_parameters()}
            self.note(f"{prefix}update.{name}.", **moved)


def jacobian_term(case: dict, dtype: torch.dtype) -> Arrays:
    """Equivariance losses of given keypoints, without a network."""
    inputs, moved = pack()[2], transform(dtype, "jac/")
    value = "kp_transformed.value_on_grid" if case["name"].endswith("on_grid") else "kp_transformed.value"
    names = ("kp_driving.value", "kp_driving.jacobian", value, "kp_transformed.jacobian")
    leaves = [torch.from_numpy(inputs[f"jac/{name}"]).to(dtype).requires_grad_() for name in names]
    errors = equivariance(Motion(*leaves[:2]), Motion(*leaves[2:]), moved)
    weights = pack()[0]["train"]["loss_weights"]
    terms = {name: weights[name] * error for name, error in errors.items()}
    seen = {"warped": moved.points(leaves[2]), "warp_jacobian": moved.jacobian(leaves[2])}
    seen |= {f"loss.{name}": term for name, term in terms.items()}
    short = ("kp_driving.value", "kp_driving.jacobian", "kp_transformed.value", "kp_transformed.jacobian")
    for kind in ("value", "jacobian"):
        gradients = torch.autograd.grad(terms[f"equivariance_{kind}"], leaves, allow_unused=True)
        found = zip(short, gradients, strict=True)
        seen |= {f"grad_{kind}_term.{name}": gradient for name, gradient in found if gradient is not None}
    return {name: tensor.detach().numpy() for name, tensor in seen.items()}
