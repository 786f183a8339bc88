"""Command `batch`: tables of jobs, what is skipped and what fails, and shares of several processes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.cli import batch as command
from first_order_motion.cli import models
from first_order_motion.cli.main import main
from first_order_motion.cli.share import Share, own_share
from first_order_motion.core.errors import InputError
from PIL import Image
from support.command_line import COUNT, build_files
from support.paths import ROOT


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    build_files(tmp_path / "in")
    return tmp_path


SOURCE = {"source": "in/source.png", "driving": "in/driving.mp4"}


def write_csv(folder: Path, *rows: dict[str, str], name: str = "jobs.csv", delimiter: str = ",") -> Path:
    heads = list(dict.fromkeys(head for row in rows for head in row))
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, heads, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def run(jobs: Path, *options: str) -> int:
    model = ["--checkpoint", str(jobs.parent / "in" / "tiny.safetensors"), "--device", "cpu"]
    return main(["batch", str(jobs), *model, *options])


def states(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the second column of the printed table."""
    return [line.split()[1] for line in capsys.readouterr().out.splitlines() if line[:1].isdigit() and "  " in line]


def test_rows_are_animated_by_one_model_and_skipped_the_next_time(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    build = models.build_predictor
    monkeypatch.setattr(models, "build_predictor", lambda *given: built.append(given) or build(*given))
    jobs = write_csv(
        files,
        {**SOURCE, "output": "out/one.mp4", "strength": "0.5", "sheet": "out/one.png"},
        {**SOURCE, "output": "out/deep/two.png", "absolute": "yes"},
    )
    assert run(jobs) == 0
    assert states(capsys) == ["done", "done"] and len(built) == 1
    assert len(VideoClip(files / "out" / "one.mp4")) == COUNT
    assert len([*(files / "out" / "deep").glob("two_*.png")]) == COUNT
    first = {path: path.stat().st_mtime_ns for path in (files / "out").rglob("*")}
    assert run(jobs) == 0
    assert states(capsys) == ["skipped", "skipped"] and len(built) == 1
    assert {path: path.stat().st_mtime_ns for path in (files / "out").rglob("*")} == first


def test_only_whole_results_count_as_finished(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("cut.mp4", "cut.mkv", "empty.mp4", "short.png", "sheet.mp4")
    rows = [{**SOURCE, "output": f"out/{name}", "sheet": "out/s.png" if name == "sheet.mp4" else ""} for name in names]
    jobs = write_csv(files, *rows)
    assert run(jobs) == 0
    capsys.readouterr()
    out = files / "out"
    for name in names[:2]:
        content = (out / name).read_bytes()
        (out / name).write_bytes(content[: len(content) // 2])
    (out / "empty.mp4").write_bytes(b"")
    (out / f"short_{COUNT:05d}.png").unlink()
    (out / "s.png").unlink()
    assert run(jobs) == 0
    assert states(capsys) == ["done"] * 5
    assert run(jobs) == 0
    assert states(capsys) == ["skipped"] * 5


def test_a_failed_row_does_not_stop_the_others(
    files: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    jobs = write_csv(
        files,
        {**SOURCE, "source": "in/nowhere.png", "output": "out/a.mp4"},
        {**SOURCE, "output": "out/b.mp4", "strength": "9"},
        {**SOURCE, "output": "out/c.avi"},
        {**SOURCE, "output": "", "strength": "1"},
        {**SOURCE, "output": "out/d.mp4"},
        {**SOURCE, "output": "out/d.mp4"},
        {**SOURCE, "output": "in/driving.mp4"},
        {**SOURCE, "output": "out/e.mp4", "strength": "much"},
    )
    assert run(jobs) == 1
    assert states(capsys) == ["failed"] * 4 + ["done"] + ["failed"] * 3
    for says in (
        *("row 1 (line 2): ", "row 2 (line 3): --strength is 9", ".avi; one of", "lacks output"),
        *("which row 5 writes", "which row 1 reads", "argument --strength: invalid float value: 'much'"),
    ):
        assert says in caplog.text
    assert sorted(path.name for path in (files / "out").iterdir()) == ["d.mp4"]


def test_an_unexpected_error_of_the_device_is_one_row_s(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    perform = command.perform

    def break_once(*given: object) -> None:
        monkeypatch.setattr(command, "perform", perform)
        raise RuntimeError("the device fell off the bus")

    monkeypatch.setattr(command, "perform", break_once)
    assert run(write_csv(files, {**SOURCE, "output": "a.mp4"}, {**SOURCE, "output": "b.mp4"})) == 1
    assert states(capsys) == ["failed", "done"]


def test_names_that_no_file_can_have_are_one_row_s(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "one").symlink_to(files / "two")
    (files / "two").symlink_to(files / "one")
    rows = [{**SOURCE, "output": name} for name in ("a\0.mp4", "b\ud800.mp4", "c\u2028.mp4")]
    rows += [{**SOURCE, "source": "one", "output": "d.mp4"}]
    (files / "jobs.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert run(files / "jobs.jsonl", "--dry-run") == 1
    assert states(capsys) == ["failed", "failed", "ready", "failed"]


def test_a_dry_run_checks_and_writes_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(files.rglob("*"))
    jobs = write_csv(
        files,
        {**SOURCE, "output": "out/a.mp4", "anchor": "3"},
        {**SOURCE, "output": "out/b.mp4", "anchor": "99"},
        {**SOURCE, "output": "out/c.mp4", "parts": "1"},
    )
    assert run(jobs, "--dry-run") == 1
    assert states(capsys) == ["ready", "failed", "failed"]
    assert sorted(files.rglob("*")) == sorted([*before, jobs])


def test_lines_of_json_and_other_separators(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        json.dumps({**SOURCE, "output": "a.mp4", "best_frame": "model keypoints", "antialias": True}),
        "",
        json.dumps({**SOURCE, "output": "b.mp4", "best-frame": False, "strength": 0.5, "size": None}),
        "[1]",
        "{",
        json.dumps({**SOURCE, "output": "c.mp4", "strength-": 1}),
        json.dumps({**SOURCE, "output": ["d.mp4"]}),
    ]
    (files / "jobs.jsonl").write_text("\n".join(lines))
    assert run(files / "jobs.jsonl") == 1
    said = capsys.readouterr().out
    assert [line.split()[1] for line in said.splitlines()[2:-1]] == ["done"] * 2 + ["failed"] * 4
    assert "Did you mean strength?" in said and "is no JSON" in said
    assert run(write_csv(files, {**SOURCE, "output": "e.mp4"}, delimiter=";")) == 0


def test_a_row_s_options_replace_those_of_all(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = write_csv(files, {**SOURCE, "output": "a.mp4", "anchor": "3", "model": "drawn-faces", "ping-pong": "no"})
    assert (
        main(["batch", str(jobs), "--best-frame", "--checkpoint", "nowhere.pth", "--device", "cpu", "--dry-run"]) == 0
    )
    assert states(capsys) == ["ready"]


def test_a_source_of_several_pictures_stands_in_one_cell(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = write_csv(files, {**SOURCE, "output": "a.mp4", "more-sources": "in/source.png;in/source.png"})
    assert run(jobs, "--dry-run") == 1
    assert "--more-sources was given; First Order Motion Model (FOMM) does not take it" in caplog.text


def test_a_dry_run_tells_all_faults_of_all_rows(
    files: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    jobs = write_csv(
        files,
        {"source": "in/nowhere.png", "driving": "in/none.mp4", "output": "a.avi", "strength": "much", "colour": "red"},
        {**SOURCE, "output": "b.mp4", "absolute": "yes", "avd": "yes"},
        {**SOURCE, "output": ""},
    )
    assert run(jobs, "--dry-run") == 1
    said = [line.message for line in caplog.records if line.levelname == "ERROR"]
    assert [line.partition(" (")[0] for line in said] == ["row 1"] * 5 + ["row 2", "row 3"]
    for says in ("unknown column colour", "'much'", ".avi; one of", "nowhere.png", "none.mp4", "not allowed", "lacks"):
        assert sum(says in line for line in said) == 1, says
    table = capsys.readouterr().out
    assert "(and 4 more)" in table and max(map(len, table.splitlines())) < 140


def test_a_dry_run_goes_on_behind_a_fault(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    (files / "file").write_bytes(b"x")
    rows = [
        {**SOURCE, "source": "in/nowhere.png", "output": "file/deep/a.mp4"},
        {**SOURCE, "source": "in/nowhere.png", "output": "b.mp4", "absolute": True, "avd": True},
        {**SOURCE, "source": "a\0b", "output": "c.mp4", "strength": "much"},
    ]
    (files / "jobs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run(files / "jobs.jsonl", "--dry-run") == 1
    said = [line.message for line in caplog.records if line.levelname == "ERROR"]
    told = {row: " ".join(line for line in said if line.startswith(f"row {row} ")) for row in (1, 2, 3)}
    assert "deep cannot be used" in told[1] and "nowhere.png" in told[1]
    assert "not allowed" in told[2] and "nowhere.png" in told[2]
    assert "no name can hold" in told[3] and "'much'" in told[3] and "lacks" not in told[3]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"size": 8, "size ": 9, "source": "a", "driving": "b", "output": "c.mp4"}', "'size' and 'size '"),
        ('{"source": "a", "source": "b", "driving": "c", "output": "d.mp4"}', "two entries are called source"),
    ],
)
def test_two_entries_of_one_option_are_refused(
    tmp_path: Path, row: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "jobs.jsonl").write_text(row)
    assert main(["batch", str(tmp_path / "jobs.jsonl"), "--dry-run", "--model", "drawn-faces"]) == 1
    assert says in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("jobs.csv", "source,driving\na,b\n", "whose first line lacks output"),
        ("jobs.csv", "source,driving,output\n", "which has no row"),
        ("jobs.csv", "source,driving,output,sheet,sheet\n", "two columns sheet"),
        ("jobs.csv", "", "lacks source, driving, output"),
        ("jobs.txt", "source", "a name that ends in .csv"),
        ("jobs.jsonl", "\n\n", "which has no row"),
    ],
)
def test_what_is_no_table_is_one_line(
    tmp_path: Path, name: str, content: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    assert main(["batch", str(tmp_path / name)]) == 1
    assert says in capsys.readouterr().err


def test_a_table_that_is_missing_or_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", str(tmp_path / "jobs.csv")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    Image.new("RGB", (8, 8)).save(tmp_path / "jobs.png")
    (tmp_path / "jobs.png").rename(tmp_path / "jobs.csv")
    assert main(["batch", str(tmp_path / "jobs.csv")]) == 1
    assert "is not UTF-8" in capsys.readouterr().err


def test_shares_are_disjoint_and_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [*range(7)]
    parts = [Share(rank, 3).of(jobs) for rank in range(3)]
    assert sorted(job for part in parts for job in part) == jobs and max(map(len, parts)) == 3
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(InputError, match="RANK is 2; 0 to 1 was wanted"):
        own_share()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert own_share() == Share(1, 2, 0, meets=False)


@pytest.mark.slow
def test_processes_of_torchrun_divide_the_jobs_and_one_sums_up(files: Path) -> None:
    rows = [{**SOURCE, "output": f"out/{name}.mp4"} for name in "abc"]
    jobs = write_csv(files, {**SOURCE, "source": "in/nowhere.png", "output": "out/bad.mp4"}, *rows)
    starter = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    given = ["batch", str(jobs), "--checkpoint", str(files / "in" / "tiny.safetensors"), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*starter, str(ROOT / "animate.py"), *given],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    table = [line.split()[:2] for line in done.stdout.splitlines() if line[:1].isdigit() and "out/" in line]
    assert table == [["1", "failed"], ["2", "done"], ["3", "done"], ["4", "done"]]
    assert "of which process 1 of 2 has 2" in done.stderr
    assert sorted(path.name for path in (files / "out").iterdir()) == ["a.mp4", "b.mp4", "c.mp4"]
