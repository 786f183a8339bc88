"""Configurations: published ones are read as they are, unknown keys and wrong values are named, ours are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from first_order_motion.core.errors import InputError
from first_order_motion.training.config import (
    DrawnRunConfig,
    VideoConfig,
    find_config,
    parse_config,
    read_config,
    ready_configs,
    to_yaml,
)
from first_order_motion.training.settings import override

FLIP = {"horizontal_flip": True, "time_flip": True}
JITTER = {"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
FULL = {"flip_param": FLIP, "jitter_param": JITTER}
MOVED = {
    "flip_param": FLIP,
    "crop_param": {"size": [256, 256]},
    "resize_param": {"ratio": [0.9, 1.1]},
    "jitter_param": {"hue": 0.5},
}
TRANSFORM = {"sigma_affine": 0.05, "sigma_tps": 0.005, "points_tps": 5}
SCALES = [1, 0.5, 0.25, 0.125]
SHOWN = {"kp_size": 5, "draw_border": True, "colormap": "gist_rainbow"}
TENS = [10, 10, 10, 10, 10]
DETECTOR = {"temperature": 0.1, "block_expansion": 32, "max_features": 1024, "scale_factor": 0.25, "num_blocks": 5}
MOTION = {"block_expansion": 64, "max_features": 1024, "num_blocks": 5, "scale_factor": 0.25}
GENERATOR = {"block_expansion": 64, "max_features": 512, "num_down_blocks": 2, "num_bottleneck_blocks": 6}
AVD = {"id_bottle_size": 64, "pose_bottle_size": 64}


def dataset(root: str, shape: tuple[str, Any], ids: bool, augmentation: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A section on data; `shape` is the shape of frames, with what a file calls it."""
    return {
        "root_dir": root,
        shape[0]: shape[1],
        "id_sampling": ids,
        "augmentation_params": augmentation,
        **more,
    }


def fomm(
    root: str, name: str, augmentation: dict[str, Any], discriminator: dict[str, Any], train: dict[str, Any], **kp: Any
) -> dict[str, Any]:
    """A published YAML of FOMM; `name` is what it calls the shape of frames."""
    sampled = {"pairs_list": "data/pairs.csv"} if train["id_sampling"] else {}
    weights = {
        "generator_gan": train["gan"],
        "discriminator_gan": 1,
        "feature_matching": [10, 10, 10, 10],
        "perceptual": TENS,
        "equivariance_value": 10,
        "equivariance_jacobian": 10,
    }
    return {
        "dataset_params": dataset(root, (name, [256, 256, 3]), train["id_sampling"], augmentation, **sampled),
        "model_params": {
            "common_params": {"num_kp": 10, "num_channels": 3, "estimate_jacobian": True},
            "kp_detector_params": {**DETECTOR, **kp},
            "generator_params": {**GENERATOR, "estimate_occlusion_map": True, "dense_motion_params": MOTION},
            "discriminator_params": {
                "scales": [1],
                "block_expansion": 32,
                "max_features": 512,
                "num_blocks": 4,
                **discriminator,
            },
        },
        "train_params": {
            "num_epochs": train["epochs"],
            "num_repeats": train["repeats"],
            "epoch_milestones": train["milestones"],
            "lr_generator": 2.0e-4,
            "lr_discriminator": 2.0e-4,
            "lr_kp_detector": train.get("lr_kp", 2.0e-4),
            "batch_size": train["batch"],
            "scales": SCALES,
            "checkpoint_freq": train.get("freq", 50),
            "transform_params": TRANSFORM,
            "loss_weights": weights,
        },
        "reconstruction_params": {"num_videos": 1000, "format": ".mp4"},
        "animate_params": {
            "num_pairs": 50,
            "format": ".mp4",
            "normalization_params": {
                "adapt_movement_scale": False,
                "use_relative_movement": True,
                "use_relative_jacobian": True,
            },
        },
        "visualizer_params": SHOWN,
    }


def run(
    epochs: int, repeats: int, milestones: list[int], batch: int, gan: int, ids: bool, **more: Any
) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "repeats": repeats,
        "milestones": milestones,
        "batch": batch,
        "gan": gan,
        "id_sampling": ids,
        **more,
    }


FOMM = {
    "vox-256": fomm("data/vox-png", "frame_shape", FULL, {"sn": True}, run(100, 75, [60, 90], 40, 0, True)),
    "vox-adv-256": fomm("data/vox-png", "frame_shape", FULL, {"use_kp": True}, run(150, 75, [], 36, 1, True)),
    "taichi-256": fomm("data/taichi-png", "image_shape", FULL, {}, run(100, 150, [60, 90], 30, 0, True)),
    "taichi-adv-256": fomm(
        "data/taichi-png", "image_shape", FULL, {"use_kp": True}, run(150, 150, [], 27, 1, True, lr_kp=0)
    ),
    "fashion-256": fomm(
        "data/fashion-png",
        "image_shape",
        {"flip_param": FLIP, "jitter_param": {"hue": 0.1}},
        {},
        run(100, 50, [60, 90], 27, 1, False),
    ),
    "mgif-256": fomm(
        "data/moving-gif",
        "image_shape",
        MOVED,
        {"sn": True},
        run(100, 25, [60, 90], 36, 1, False, freq=100),
        single_jacobian_map=True,
    ),
    "nemo-256": fomm(
        "data/nemo-png", "frame_shape", {"flip_param": FLIP}, {"sn": True}, run(100, 8, [60, 90], 36, 1, False)
    ),
    "bair-256": fomm(
        "data/bair", "image_shape", FULL, {"sn": True}, run(20, 1, [12, 18], 36, 1, False, freq=10)
    ),
}  # fmt: skip


def spline(root: str, augmentation: dict[str, Any], bg: bool, ids: bool, train: dict[str, Any]) -> dict[str, Any]:
    """A published YAML of the Thin-Plate Spline model."""
    return {
        "dataset_params": dataset(root, ("frame_shape", None), ids, augmentation),
        "model_params": {
            "common_params": {"num_tps": 10, "num_channels": 3, "bg": bg, "multi_mask": True},
            "generator_params": {"block_expansion": 64, "max_features": 512, "num_down_blocks": 3},
            "dense_motion_params": MOTION,
            "avd_network_params": AVD,
        },
        "train_params": {
            "num_epochs": 100,
            "epoch_milestones": [70, 90],
            "lr_generator": 2.0e-4,
            "scales": SCALES,
            "dropout_epoch": 35,
            "dropout_inc_epoch": 10,
            "transform_params": TRANSFORM,
            "loss_weights": {"perceptual": TENS, "equivariance_value": 10, "warp_loss": 10, "bg": 10},
            **train,
        },
        "train_avd_params": {
            "num_epochs": 60,
            "num_repeats": 150,
            "batch_size": 256,
            "dataloader_workers": 24,
            "epoch_milestones": [40, 50],
            "lr": 1.0e-3,
            "lambda_shift": 1,
            "random_scale": 0.25,
        },
        "visualizer_params": SHOWN,
    }


def dropout(repeats: int, batch: int, most: float, first: float, bg_start: int) -> dict[str, Any]:
    return {
        "num_repeats": repeats,
        "batch_size": batch,
        "dropout_maxp": most,
        "dropout_startp": first,
        "bg_start": bg_start,
    }


SPLINE = {
    "vox-256": spline("../vox", FULL, True, True, dropout(75, 28, 0.3, 0.1, 10)),
    "taichi-256": spline("../taichi", FULL, True, True, dropout(150, 28, 0.7, 0.0, 0)),
    "ted-384": spline("../TED384-v2", FULL, True, True, dropout(150, 12, 0.5, 0.0, 0)),
    "mgif-256": spline("../moving-gif", MOVED, False, False, dropout(50, 28, 0.5, 0.2, 0)),
}


def articulate(
    root: str, augmentation: dict[str, Any], ids: bool, repeats: int, batch: int, regions: int = 10, **more: Any
) -> dict[str, Any]:
    """A published YAML of Articulated Animation."""
    predictor = {**DETECTOR, "pca_based": True}
    background = {"block_expansion": 32, "max_features": 1024, "num_blocks": 5, "bg_type": more.get("bg", "affine")}
    return {
        "dataset_params": dataset(
            root, ("frame_shape", None), ids, augmentation, **({"pairs_list": None} if ids else {})
        ),
        "model_params": {
            "num_regions": regions,
            "num_channels": 3,
            "estimate_affine": True,
            "revert_axis_swap": True,
            "bg_predictor_params": background,
            "region_predictor_params": {**predictor, **more.get("predictor", {"pad": 0, "fast_svd": False})},
            "generator_params": {
                **GENERATOR,
                "skips": True,
                "pixelwise_flow_predictor_params": {
                    **MOTION,
                    "use_deformed_source": True,
                    "use_covar_heatmap": True,
                    "estimate_occlusion_map": True,
                },
            },
            "avd_network_params": AVD,
        },
        "train_params": {
            "num_epochs": 100,
            "num_repeats": repeats,
            "epoch_milestones": [60, 90],
            "lr": 2.0e-4,
            "batch_size": batch,
            "dataloader_workers": 6,
            "checkpoint_freq": 50,
            "scales": SCALES,
            "transform_params": TRANSFORM,
            "loss_weights": {"perceptual": TENS, "equivariance_shift": 10, "equivariance_affine": 10},
            **more.get("train", {}),
        },
        "train_avd_params": {"num_epochs": 30, "lr": 1.0e-3, "lambda_affine": 1},
        "reconstruction_params": {"num_videos": 1000, "format": ".mp4"},
        "animate_params": {"num_pairs": 50, "format": ".mp4", "mode": "avd"},
        "visualizer_params": {**SHOWN, "region_bg_color": [1, 1, 1]},
    }


ARTICULATE = {
    "vox256": articulate(
        "data/vox-png", FULL, True, 75, 14, predictor={"fast_svd": False}, train={"use_sync_bn": False}
    ),
    "taichi256": articulate("data/taichi-png", FULL, True, 150, 14),
    "ted384": articulate("data/TED384-v2", FULL, True, 150, 6),
    "ted-youtube384": articulate(
        "data/ted-youtube-384", FULL, True, 150, 20, 20, predictor={"pad": 0}, train={"use_sync_bn": False}
    ),
    "mgif256": articulate("data/moving-gif", MOVED, False, 50, 14, bg="zero"),
}

PUBLISHED = {
    (architecture, name): config
    for architecture, configs in (("fomm", FOMM), ("spline", SPLINE), ("articulate", ARTICULATE))
    for name, config in configs.items()
}


@pytest.mark.parametrize(("architecture", "name"), PUBLISHED)
def test_published_configurations_are_read_as_they_are(tmp_path: Path, architecture: str, name: str) -> None:
    given = PUBLISHED[architecture, name]
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(given))
    config = read_config(path)
    assert isinstance(config, VideoConfig) and config.family.id == architecture
    wanted, train = given["train_params"], config.train_params
    for setting in ("num_epochs", "num_repeats", "batch_size"):
        assert getattr(train, setting) == wanted[setting]
    assert train.epoch_milestones == tuple(wanted["epoch_milestones"]) and train.scales == (1, 0.5, 0.25, 0.125)
    assert train.rates() == {key: rate for key, rate in wanted.items() if key.startswith("lr")}
    dataset = given["dataset_params"]
    shape = dataset.get("frame_shape", dataset.get("image_shape"))
    assert config.dataset_params.frame_shape == (None if shape is None else tuple(shape))
    assert str(config.dataset_params.root_dir) == dataset["root_dir"]
    assert config.dataset_params.id_sampling is dataset["id_sampling"]
    assert read_config(path).given == yaml.safe_load(to_yaml(config))


def test_what_differs_between_published_configurations_is_kept() -> None:
    mgif, adv = parse_config(FOMM["mgif-256"]), parse_config(FOMM["taichi-adv-256"])
    assert isinstance(mgif, VideoConfig) and isinstance(adv, VideoConfig)
    assert mgif.model_params.config.kp_detector.single_jacobian_map and mgif.model_params.config.align_corners
    augmentation = mgif.dataset_params.augmentation_params
    assert augmentation.crop_param and augmentation.crop_param.size == (256, 256)
    assert augmentation.jitter_param and augmentation.jitter_param.hue == 0.5 and augmentation.resize_param
    assert mgif.train_params.checkpoint_freq == 100 and adv.train_params.rates()["lr_kp_detector"] == 0
    critic = adv.model_params.discriminator
    assert critic and critic.use_kp and not critic.sn and critic.block_expansion == 32
    spline = parse_config(SPLINE["mgif-256"])
    assert isinstance(spline, VideoConfig) and not spline.model_params.background
    assert spline.train_params.dropout(5) == pytest.approx(0.45)  # type: ignore[attr-defined]
    vox = parse_config(ARTICULATE["vox256"])
    assert isinstance(vox, VideoConfig) and vox.model_params.config.region_predictor.pad == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("train.batchsize=8", r"train_params holds unknown settings: batchsize\. .*known are batch_size"),
        ("train.loss_weights.style=1", r"train_params.loss_weights holds unknown settings: style"),
        ("train.dropout_epoch=3", r"train_params holds unknown settings: dropout_epoch"),
        ("dataset.augmentation_params.zoom=1", r"dataset_params.augmentation_params holds unknown settings: zoom"),
        ("model.kp_detector_params.depth=5", r"model_params: kp_detector_params holds the unknown setting 'depth'"),
        ("model.discriminator_params.depth=5", r"discriminator_params holds unknown settings: depth"),
        ("model.common_params.num_kp=0", r"model_params: num_kp is 0; a whole number from 1"),
        ("tuning.batch_size=8", r"the configuration holds unknown settings: tuning"),
        ("train.batch_size=eight", r"train_params.batch_size is 'eight'; a whole number was wanted"),
        ("train.batch_size=0", r"train_params: batch_size is 0; 1 or more was wanted"),
        ("train.lr_generator=fast", r"train_params.lr_generator is 'fast'; a number was wanted"),
        ("train.lr_generator=-1", r"lr_generator is -1.0; 0 to 1e[+]06"),
        ("train.precision=float16", r"train_params.precision is 'float16'; one of auto, float32, bfloat16 was wanted"),
        ("train.scales=[2]", r"numbers from 0.015625 to 1 were wanted"),
        ("train.lr_generator=1e39", r"lr_generator is 1e[+]39; 0 to 1e[+]06 was wanted"),
        ("train.lr_generator=.inf", r"lr_generator is inf; a finite number was wanted"),
        ("train.dataloader_workers=1000000", r"dataloader_workers is 1000000; 0 to 64"),
        ("train.num_repeats=1000000000", r"num_repeats is 1000000000; 1000000 at most"),
        ("train.seed=1180591620717411303424", r"train_params.seed is .*; a number of 63 bits"),
        ("train.epoch_milestones=[-1]", r"epoch_milestones are \[-1\]; 0 or more"),
        ("train.transform_params.points_tps=1000000", r"points_tps is 1000000; 1 to 32"),
        ("train.transform_params.points_tps=-1", r"points_tps is -1; 1 to 32"),
        ("train.transform_params.sigma_affine=-1", r"sigma_affine is -1.0; 0 to 10"),
        ("train.transform_params.sigma_affine=.nan", r"sigma_affine is nan; a finite number"),
        ("train.loss_weights.perceptual=[-1]", r"perceptual has a weight below 0"),
        ("train.loss_weights.perceptual=[1,1,1,1,1,1]", r"perceptual has 6 weights; 5 at most"),
        ("dataset.augmentation_params.rotation_param.degrees=[1]", r"is \(1.0,\); one angle"),
        ("dataset.augmentation_params.rotation_param.degrees=[3,1]", r"the smaller first"),
        ("dataset.augmentation_params.jitter_param.brightness=1e30", r"is 1e[+]30; 0 to 100"),
        ("dataset.augmentation_params.crop_param.size=10000000", r"1 to 4096 pixels"),
        ("train.steps=!!bool abc", r"set has a value that is no YAML"),
        ("train.steps=!!timestamp abc", r"set has a value that is no YAML"),
        ("train.steps=" + "[" * 3000, r"set has a value that is no YAML"),
        ("train.scales=1", r"train_params.scales is 1; a list was wanted"),
        ("train.patience=3", r"patience is given without evaluate_every"),
        ("train.ema_decay=1", r"ema_decay is 1.0; 0 to below 1 was wanted"),
        ("train=5", r"set is train=5; SECTION.NAME=VALUE was wanted"),
        ("train.steps=[", r"set has a value that is no YAML"),
        ("dataset.frame_shape=[256, 256]", r"dataset_params.frame_shape is a list; a list of 3 was wanted"),
        ("dataset.root_dir=", r"data is not given; a folder of videos was wanted"),
        ("architecture.x=1", r"architecture is a dict; "),
    ],
)
def test_what_is_wrong_is_named(change: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_config(override(FOMM["vox-256"], [change]))
    assert str(caught.value).isprintable()


def test_settings_can_be_changed() -> None:
    changes = [
        "train.batch_size=8",
        "train.lr_generator=1e-3",
        "model.common_params.num_kp=15",
        "train.freeze=[generator]",
    ]
    config = parse_config(override(FOMM["vox-256"], changes))
    assert isinstance(config, VideoConfig)
    assert config.train_params.batch_size == 8 and config.model_params.config.num_kp == 15
    assert config.train_params.rates()["lr_generator"] == 1e-3 and config.train_params.freeze == ("generator",)
    assert FOMM["vox-256"]["train_params"]["batch_size"] == 40


def test_models_of_no_architecture_are_refused() -> None:
    with pytest.raises(InputError, match=r"of no architecture that trains; fomm, spline, articulate, drawn do"):
        parse_config({"dataset_params": {"root_dir": "x"}, "model_params": {}})


@pytest.mark.parametrize("name", ready_configs())
def test_ready_configurations_are_whole(name: str) -> None:
    config = read_config(find_config(name), ["train.steps=5" if name == "drawn" else "dataset.root_dir=videos"])
    if isinstance(config, VideoConfig):
        size = config.dataset_params.frame_shape
        assert size and name.split("-")[-1] in (str(size[0]), "character")
        assert config.family.animator(config.model_params.config, size[0]).spec.multiple <= size[0]


def test_all_ready_configurations_are_there() -> None:
    assert ready_configs() == ["character", "drawn", "fashion-256", "small-128", "taichi-256", "vox-256", "vox-512"]


def test_drawn_faces_need_an_end() -> None:
    with pytest.raises(InputError, match="no end to the training: give --steps"):
        parse_config({"architecture": "drawn"})
    assert isinstance(parse_config({"architecture": "drawn", "train_params": {"steps": 5}}), DrawnRunConfig)


def test_files_that_are_no_configuration_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("- 1")
    (tmp_path / "c.yaml").write_text("a: !!python/object/apply:os.system ['true']")
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe\xfa")
    for name, says in (
        ("a", "is no YAML"),
        ("b", "the configuration is a list"),
        ("c", "is no YAML"),
        ("d", "is no YAML"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            read_config(tmp_path / f"{name}.yaml")
        assert str(caught.value).isprintable()
    with pytest.raises(InputError, match=r"a YAML file was wanted, or one of character, drawn"):
        find_config(str(tmp_path / "none.yaml"))


def test_aliases_are_neither_followed_in_circles_nor_multiplied(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    levels = "".join(f"  a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}\n" for n in range(1, 40))
    path.write_text(
        f"architecture: fomm\nanimate_params:\n  a0: &a0 {{x: 1}}\n{levels}dataset_params: &d {{root_dir: *d}}\n"
    )
    with pytest.raises(InputError, match=r"root_dir is a dict"):
        read_config(path, ["train.steps=1"])
    path.write_text("seed: !!bool abc")
    with pytest.raises(InputError, match="is no YAML"):
        read_config(path)
