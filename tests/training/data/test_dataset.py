"""The data set: layouts, whose videos they are, samples by seed and number alone, and broken videos."""

import logging
import pickle
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from first_order_motion.core.errors import InputError, MediaError
from first_order_motion.training.data.augmentation import AugmentationParams, FlipParams, JitterParams
from first_order_motion.training.data.batch import collate
from first_order_motion.training.data.dataset import DatasetParams, FramesDataset
from first_order_motion.training.data.layout import by_identity, random_split, split_videos
from PIL import Image
from support.media_files import build_video, moving_pictures
from torch.utils.data import DataLoader

SHAPE = (32, 32, 3)
COLOURS = AugmentationParams(FlipParams(True, True), jitter_param=JitterParams(0.1, 0.1, 0.1, 0.1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of two videos, a folder of frames and a strip to train with, and one to test with."""
    train, test = tmp_path / "train", tmp_path / "test"
    (train / "frames").mkdir(parents=True)
    test.mkdir()
    build_video(train / "a.mp4", 9, audio="aac", fps=Fraction(30000, 1001))
    build_video(train / "b.mov", 7, fps=Fraction(12))
    build_video(test / "c.mp4", 5)
    pictures = moving_pictures(6, 32, 32)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture.movedim(0, -1).numpy()).save(train / "frames" / f"{number:03d}.png")
    Image.fromarray(torch.cat([*pictures], dim=2).movedim(0, -1).numpy()).save(train / "strip.png")
    (tmp_path / "train" / "notes.txt").write_text("no video")
    (tmp_path / "train" / ".hidden.mp4").write_text("no video")
    return tmp_path


def test_every_kind_of_video_gives_pairs_in_order_of_time(root: Path) -> None:
    dataset = FramesDataset(DatasetParams(root, SHAPE))
    assert [group[0].name for group in dataset.groups] == ["a.mp4", "b.mov", "frames", "strip.png"]
    for index in range(4):
        for draw in range(5):
            item = dataset[index, draw]
            assert item.source.shape == item.driving.shape == (3, 32, 32) and item.source.dtype == torch.float32
            assert item.source.min() >= 0 and item.driving.max() <= 1 and item.draw == draw
            assert item.source[0].mean() <= item.driving[0].mean() + 1e-6  # they grow redder


def test_a_sample_depends_on_seed_and_number_alone(root: Path) -> None:
    params = DatasetParams(root, SHAPE, augmentation_params=COLOURS)
    dataset, other = FramesDataset(params, seed=5), pickle.loads(pickle.dumps(FramesDataset(params, seed=5, memory=0)))
    keys = [(draw % 4, draw) for draw in range(12)]
    items = [dataset[key] for key in keys]
    again = [other[key] for key in reversed(keys)][::-1]
    for one, two in zip(items, again, strict=True):
        assert torch.equal(one.source, two.source) and torch.equal(one.driving, two.driving)
    assert not torch.equal(items[0].source, FramesDataset(params, seed=6)[keys[0]].source)
    assert not torch.equal(items[0].source, dataset[0, 4].source)


@pytest.mark.slow
def test_worker_processes_change_nothing(root: Path) -> None:
    dataset = FramesDataset(DatasetParams(root, SHAPE, augmentation_params=COLOURS))
    keys = [(draw % 4, draw) for draw in range(12)]
    direct = collate([dataset[key] for key in keys])  # before: workers inherit open files
    loader = DataLoader(dataset, batch_size=3, sampler=keys, num_workers=2, collate_fn=collate)
    batches = [*loader]
    assert torch.equal(torch.cat([batch.source for batch in batches]), direct.source)
    assert torch.equal(torch.cat([batch.driving for batch in batches]), direct.driving)
    assert torch.cat([batch.draws for batch in batches]).tolist() == [*range(12)]


def test_without_folders_a_fifth_is_kept_to_test_with_as_scikit_learn_chooses(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.mp4").touch()
    tested, trained = ([video.name for video in split_videos(tmp_path, split)] for split in ("test", "train"))
    assert tested == ["2.mp4", "8.mp4"]  # sklearn.model_selection.train_test_split(range(10), test_size=0.2, ...)
    assert len(trained) == 8 and not {*tested} & {*trained}
    assert [len(part) for part in random_split(range(11))] == [8, 3]


def test_an_identity_is_matched_to_the_letter(tmp_path: Path) -> None:
    names = ["id10#x#0#9.mp4", "id1#x#0#9.mp4", "id1#y#0#9.mp4", "id2.mp4"]
    assert [[video.name for video in group] for group in by_identity([tmp_path / name for name in names])] == [
        ["id1#x#0#9.mp4", "id1#y#0#9.mp4"],
        ["id10#x#0#9.mp4"],
        ["id2.mp4"],
    ]


def test_id_sampling_draws_of_all_videos_of_an_identity(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name, grey in (("id1#a.mp4", 50), ("id1#b.mp4", 100), ("id10#a.mp4", 200)):
        (tmp_path / "train" / name).mkdir()
        Image.new("RGB", (8, 8), (grey,) * 3).save(tmp_path / "train" / name / "0.png")
    dataset = FramesDataset(DatasetParams(tmp_path, (8, 8, 3), id_sampling=True))
    assert len(dataset) == 2
    greys = [{round(float(dataset[index, draw].source.mean() * 255)) for draw in range(12)} for index in range(2)]
    assert greys == [{50, 100}, {200}]


def test_a_broken_video_is_named_once_and_another_takes_its_place(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = root / "train" / "a.mp4"
    video.write_bytes(video.read_bytes()[:500])
    params = DatasetParams(root, SHAPE)
    with caplog.at_level(logging.WARNING):
        dataset = FramesDataset(params)
        items = [dataset[0, draw] for draw in range(6)]
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("a.mp4 is skipped: ")
    assert torch.equal(FramesDataset(params)[0, 5].source, items[5].source)
    for other in ("b.mov", "strip.png"):
        (root / "train" / other).write_bytes(b"nothing")
    (root / "train" / "frames").rename(root / "frames")
    with pytest.raises(MediaError, match=r"64 videos of .* in turn are broken"):
        FramesDataset(params)[0, 0]


def test_videos_to_test_come_whole(root: Path) -> None:
    videos = [*FramesDataset(DatasetParams(root, SHAPE), "test").test_videos()]
    assert [video.name for video in videos] == ["c.mp4"]
    frames = torch.cat([*videos[0].chunks(2)])
    assert frames.shape == (5, 32, 32, 3) and frames.dtype == torch.uint8 and len(videos[0]) == 5
    assert torch.equal(videos[0].frame(3)[0], frames[3])


def test_without_a_shape_the_first_video_gives_the_size(root: Path) -> None:
    dataset = FramesDataset(DatasetParams(root, None))
    assert dataset[2, 0].source.shape == dataset[0, 0].source.shape == (3, 48, 64)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"frame_shape is \[64, 64, 1\]; \[height, width, 3\]"):
        DatasetParams(tmp_path, (64, 64, 1))
    with pytest.raises(MediaError, match="no folder"):
        FramesDataset(DatasetParams(tmp_path / "none"))
    with pytest.raises(MediaError, match="has 0 videos to train"):
        FramesDataset(DatasetParams(tmp_path))
    (tmp_path / "train").mkdir()
    with pytest.raises(MediaError, match="has train/ and no test/"):
        FramesDataset(DatasetParams(tmp_path), "test")
