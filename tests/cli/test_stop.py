"""Stops by signals, in processes of their own: one line, the status that says which, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.paths import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")

LIMIT = 60  # seconds
SAMPLES = ROOT / "workflows" / "samples"
RUN = ("run", str(SAMPLES / "face.png"), str(SAMPLES / "driving.mp4"))
MODEL = ("--model", "drawn-faces", "--device", "cpu")
NOTHING_LEFT = "stopped; nothing was left behind"
PROGRAM = f"""
import os, runpy, sys, threading, time
from pathlib import Path
runpy.run_path({str(ROOT / "animate.py")!r})["load_pack"]()
from first_order_motion.cli.start import _open_missing_streams
from first_order_motion.cli.stop import install_handlers
from first_order_motion.core.unfinished import HiddenFolder, keep, make_folder
"""


def start(folder: Path, *args: str, ignored: signal.Signals | None = None) -> subprocess.Popen[str]:
    """Start Python in a folder; with `ignored`, as a program whose caller has that signal ignored."""

    def ignore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whatever these tests themselves run under
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *args],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=ignore,
    )


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert process.poll() is None and time.monotonic() < end, process.communicate(timeout=LIMIT)
        time.sleep(0.01)


def last_line(process: subprocess.Popen[str]) -> str:
    _, error = process.communicate(timeout=LIMIT)
    return error.splitlines()[-1]


def hidden(folder: Path) -> list[Path]:
    return [*folder.glob(".*.part")]


def test_processes_that_work_for_the_program_end_with_it(tmp_path: Path) -> None:
    program = f"""{PROGRAM}
import multiprocessing, signal

def work():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(600)

install_handlers()
multiprocessing.get_context("fork").Process(target=work).start()
time.sleep(600)
"""
    process = start(tmp_path, "-c", program)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert last_line(process) == NOTHING_LEFT  # the other process, too, has closed the streams


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("place", ["lock.acquire()", "while True: sum(range(99))", "time.sleep(99)"])
def test_every_signal_cleans_up(tmp_path: Path, number: signal.Signals, place: str) -> None:
    program = f"""{PROGRAM}
install_handlers()
make_folder(Path("new"))
folder = HiddenFolder(Path("new/a.mp4"))
(folder.path / "part").write_bytes(b"half")
lock = threading.Lock()
lock.acquire()
print("ready", flush=True)
{place}
"""
    process = start(tmp_path, "-c", program)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.send_signal(number)  # which does not disturb the cleaning up
    _, error = process.communicate(timeout=LIMIT)
    assert (process.returncode, error) == (128 + number, NOTHING_LEFT + "\n")
    assert [*tmp_path.iterdir()] == []


def test_what_stays_is_named(tmp_path: Path) -> None:
    program = f"""{PROGRAM}
install_handlers()
for name in ("done.mp4", "vox.pth.part"):
    Path(name).write_bytes(b"x")
    keep(Path(name))
keep(Path("never"))
os.kill(os.getpid(), 15)
"""
    process = start(tmp_path, "-c", program)
    assert last_line(process) == "stopped; kept: done.mp4, vox.pth.part"
    assert process.returncode == 128 + signal.SIGTERM


def test_streams_that_are_closed_take_no_files_place(tmp_path: Path) -> None:
    program = f"""{PROGRAM}
os.close(1), os.close(2)
sys.stdout = sys.stderr = None
_open_missing_streams()
file = open("result", "wb")
os.write(2, b"a library complains")
print("to nobody")
raise SystemExit(file.fileno() <= 2)
"""
    process = start(tmp_path, "-c", program)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0 and (tmp_path / "result").read_bytes() == b""


def test_a_stop_during_imports_is_one_line(tmp_path: Path) -> None:
    process = start(tmp_path, "-X", "importtime", str(ROOT / "animate.py"), *RUN, "a.mp4")
    assert process.stderr is not None
    for line in process.stderr:  # Python says what it has imported
        if line.rstrip().endswith("first_order_motion.cli.stop"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert last_line(process) == NOTHING_LEFT
    assert process.returncode == 128 + signal.SIGINT


def test_nobody_reading_is_no_error(tmp_path: Path) -> None:
    program = f"""{PROGRAM}
from types import SimpleNamespace
from first_order_motion.cli.start import start
sys.modules["first_order_motion.cli.main"] = SimpleNamespace(main=lambda argv: print("text " * 99999))
sys.stdin.readline()
sys.exit(start())
"""
    process = start(tmp_path, "-c", program)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stdin.write("go\n")
    process.stdin.close()
    assert process.stderr.read() == "" and process.wait(LIMIT) == 128 + signal.SIGPIPE


def test_a_run_stops_at_once_but_not_by_a_signal_that_is_ignored(tmp_path: Path) -> None:
    args = (*RUN, "a.mp4", "--sheet", "a.png", *MODEL)
    process = start(tmp_path, str(ROOT / "animate.py"), *args, ignored=signal.SIGHUP)
    wait_for(lambda: len(hidden(tmp_path)) == 2, process)
    process.send_signal(signal.SIGHUP)  # as nohup has it
    time.sleep(0.3)
    assert process.poll() is None and len(hidden(tmp_path)) == 2
    process.send_signal(signal.SIGTERM)
    assert last_line(process) == NOTHING_LEFT
    assert process.returncode == 128 + signal.SIGTERM
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_process_leaves_is_cleared_by_the_next(tmp_path: Path) -> None:
    program = f"""{PROGRAM}
folder = HiddenFolder(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
"""

    def ready(name: str) -> subprocess.Popen[str]:
        process = start(tmp_path, "-c", program, name)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    killed = ready("a.mp4")
    killed.kill()
    killed.communicate(timeout=LIMIT)
    [left] = hidden(tmp_path)
    alive = ready("b.mp4")
    [other] = hidden(tmp_path)
    assert other != left  # which is gone
    last = ready("c.mp4")
    assert other in hidden(tmp_path)  # it is in use
    for process in (alive, last):
        process.kill()
        process.communicate(timeout=LIMIT)
