"""A real ComfyUI in a temporary folder, for as long as a `with` block lasts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import websocket

START_SECONDS = 180
FINAL_EVENTS = ("execution_success", "execution_error", "execution_interrupted")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "tests", "output", "*.pth", "*.pt", "*.tar")

Event = dict[str, Any]
Prompt = dict[str, dict[str, Any]]


class ComfyError(Exception):
    """ComfyUI did not start, refused a prompt, or stayed silent for too long."""


@dataclass
class Run:
    """What became of one prompt: its websocket events in order, and its history entry."""

    prompt_id: str
    output_folder: Path
    events: list[Event] = field(default_factory=list[Event])
    history: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def ending(self) -> str:
        """`execution_success`, `execution_error` or `execution_interrupted`."""
        return next((e["type"] for e in self.events if e["type"] in FINAL_EVENTS), "none")

    @property
    def error(self) -> str:
        """The message of `execution_error`, or nothing."""
        return next((e["data"]["exception_message"] for e in self.events if e["type"] == "execution_error"), "")

    def progress(self, node: str) -> list[int]:
        """The values a node's progress bar took, in order."""
        data = [e["data"] for e in self.events if e["type"] == "progress"]
        return [d["value"] for d in data if d["node"] == node]

    def files(self, node: str) -> list[Path]:
        """What an output node wrote: under `images` for core nodes, `gifs` for VideoHelperSuite."""
        shown = self.history["outputs"][node]
        rows = [row for kind in ("images", "gifs") for row in shown.get(kind, [])]
        folders = {"output": self.output_folder, "temp": self.output_folder.parent / "temp"}
        return [folders[row["type"]] / row["subfolder"] / row["filename"] for row in rows]


class ComfyServer:
    """Starts `main.py` of the ComfyUI folder `comfy` with its data in `base`.

    `packs` maps folder names in custom_nodes to packs; each is copied, without its tests and weights, so that
    ComfyUI sees what a user would install and writes nothing into a working tree. `frontend` is the folder of another
    interface than the installed one.
    """

    def __init__(self, comfy: Path, base: Path, packs: Mapping[str, Path], frontend: Path | None = None) -> None:
        self.comfy, self.base, self.packs, self.frontend = comfy, base, packs, frontend
        self.client_id = uuid.uuid4().hex
        self.log_file = base / "comfyui.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ComfyServer:
        for folder in ("input", "output", "models"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        for name, source in self.packs.items():
            shutil.copytree(source, self.base / "custom_nodes" / name, ignore=LEFT_OUT)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process, wait until it answers, and open the websocket before any prompt is sent."""
        command = [sys.executable, "main.py", "--cpu", "--port", str(self.port), "--disable-api-nodes"]
        command += ["--base-directory", str(self.base), "--database-url", f"sqlite:///{self.base}/c.db"]
        if self.frontend is not None:
            command += ["--front-end-root", str(self.frontend)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.comfy, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.wait_until_ready()
            self.socket = websocket.create_connection(f"ws://127.0.0.1:{self.port}/ws?clientId={self.client_id}")
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ComfyError(f"ComfyUI ended with status {self.process.returncode}:\n{self.log()[-4000:]}")
            try:
                requests.get(f"{self.url}/system_stats", timeout=5).raise_for_status()
            except requests.RequestException:
                time.sleep(0.3)
            else:
                return
        raise ComfyError(f"ComfyUI did not answer within {START_SECONDS} s:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """End the process and whatever it started; by force if it does not listen."""
        if hasattr(self, "socket"):
            self.socket.close()
        for sign in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, sign)
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    continue

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=30)

    def object_info(self, node_id: str = "") -> dict[str, Any]:
        """What ComfyUI tells the interface about one node, or about all by id; empty for an unknown id."""
        found = self.get(f"/object_info/{node_id}" if node_id else "/object_info").json()
        return found.get(node_id, {}) if node_id else found

    def put_input(self, source: Path, name: str = "") -> None:
        """Copy a file into the input folder."""
        shutil.copyfile(source, self.base / "input" / (name or source.name))

    def set_setting(self, name: str, value: object) -> None:
        """Store a setting of the interface."""
        requests.post(f"{self.url}/api/settings/{name}", json=value, timeout=30).raise_for_status()

    def queue(self, prompt: Prompt) -> str:
        """Queue an API prompt and return its id."""
        body = {"prompt": prompt, "client_id": self.client_id}
        answer = requests.post(f"{self.url}/prompt", json=body, timeout=30)
        if answer.status_code != 200:
            raise ComfyError(f"prompt refused: {answer.text}")
        return answer.json()["prompt_id"]

    def wait(self, prompt_id: str, on_event: Callable[[Event], None] | None = None, seconds: float = 300) -> Run:
        """Follow the websocket until a prompt has ended, then read its history."""
        run = Run(prompt_id, self.base / "output")
        deadline = time.monotonic() + seconds
        while not is_last(run.events):
            event = self.next_event(deadline)
            if event is None or event["data"].get("prompt_id") != prompt_id:
                continue
            run.events.append(event)
            if on_event is not None:
                on_event(event)
        run.history = self.history(prompt_id)
        return run

    def run(self, prompt: Prompt, on_event: Callable[[Event], None] | None = None) -> Run:
        return self.wait(self.queue(prompt), on_event)

    def next_event(self, deadline: float) -> Event | None:
        """The next message; None for a preview picture."""
        self.socket.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            message = self.socket.recv()
        except websocket.WebSocketTimeoutException as error:
            raise ComfyError(f"the prompt did not end in time; the log ends:\n{self.log()[-4000:]}") from error
        return json.loads(message) if isinstance(message, str) else None

    def history(self, prompt_id: str) -> dict[str, Any]:
        """The history entry, which may come a moment after the last event."""
        for _ in range(100):
            found = self.get(f"/history/{prompt_id}").json()
            if prompt_id in found:
                return found[prompt_id]
            time.sleep(0.05)
        raise ComfyError(f"no history for prompt {prompt_id}")

    def free(self, **flags: bool) -> None:
        """Have ComfyUI unload models, and forget what nodes put out."""
        requests.post(f"{self.url}/free", json=flags, timeout=30).raise_for_status()

    def interrupt(self) -> None:
        requests.post(f"{self.url}/interrupt", timeout=30).raise_for_status()


def is_last(events: list[Event]) -> bool:
    """Whether the newest event says that the prompt is over: a verdict, or `executing` of no node."""
    if not events:
        return False
    kind, data = events[-1]["type"], events[-1]["data"]
    return kind in FINAL_EVENTS or (kind == "executing" and data["node"] is None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
