"""How fast the live page is: frames per second, latency, and processor time for a frame, drawn here or by a server.

python tests/benchmarks/live.py [--seconds 10] [--runtime onnxruntime-web.tgz]

The bundled model, the sample video as the camera, headless Chromium. The first two figures are those that the page
shows; processor time is for a frame that was shown, of all processes together and of the dearest by themselves.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.cli.main import main as animate
from support.browser import CHROMIUM, browser_driver, camera, chromium, until, until_drawn
from support.live_page import live_server, sample_camera, serving, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

TICK = os.sysconf("SC_CLK_TCK")
NUMBER = "Number(document.getElementById('result').dataset.number)"
COUNT = """() => {
    globalThis.count = 0;
    globalThis.watcher?.disconnect();
    globalThis.watcher = new MutationObserver((changes) => { count += changes.length; });
    watcher.observe(document.getElementById("result"), { attributeFilter: ["data-number"] });
}"""
WARM = 8  # frames
BROWSER = ("renderer", "gpu-process", "browser")
KINDS = ("server", *BROWSER)


def cpu_seconds(root: int) -> Counter[str]:
    """Add up the processor time of a process and those below it, by their kinds."""
    parents, times = dict[int, int](), dict[int, float]()
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(place.parent.name)] = int(fields[1])
        times[int(place.parent.name)] = (int(fields[11]) + int(fields[12])) / TICK
    family = {root}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    spent = Counter[str]()
    for process in family:
        spent[kind_of(process)] += times.get(process, 0.0)
    return spent


def kind_of(process: int) -> str:
    """Name a process by what it does: the server, one of the browser's, or what steers these."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return "steering"
    if "animate.py" in command:
        return "server"
    if CHROMIUM.name not in command:
        return "steering"
    found = re.search(r"--type=([\w-]+)", command)
    kind = found[1] if found else "browser"
    return kind if kind in BROWSER else "browser"


def measure(page: Page, name: str, seconds: float) -> None:
    """Let the page run, and print a row of the table."""
    until_drawn(page, int(page.evaluate(NUMBER)) + WARM)
    shown, spent = page.evaluate("performance.now()"), cpu_seconds(os.getpid())
    page.evaluate(COUNT)
    page.wait_for_timeout(1000 * seconds)
    frames, passed = page.evaluate("count"), (page.evaluate("performance.now()") - shown) / 1000
    parts = cpu_seconds(os.getpid()) - spent
    each = {kind: 1000 * seconds / max(1, frames) for kind, seconds in parts.items()}
    columns = [f"{sum(each.values()):.0f}", *(f"{each.get(kind, 0):.0f}" for kind in KINDS)]
    print(f"| {name} | {frames / passed:.1f} | {page.inner_text('#latency')} | {' | '.join(columns)} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runtime", type=Path)
    args = parser.parse_args()
    with TemporaryDirectory() as folder, browser_driver() as driver:
        site, flags = Path(folder) / "site", camera(sample_camera(Path(folder)))
        animate(["page", str(site), *(["--runtime", str(args.runtime)] if args.runtime else [])])
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"| Drawn by | Frames per second | Latency | CPU ms a frame | {' | '.join(KINDS)} |")
        print("|---" * (4 + len(KINDS)) + "|")
        with chromium(driver, *flags) as browser, live_server() as (address, _):
            measure(started(browser.new_page(), address), "server", args.seconds)
        with chromium(driver, *flags) as browser, serving(site) as address:
            page = started(browser.new_page(), address)
            devices = page.evaluate("[...document.getElementById('device').options].map(o => o.value)")
            for device in [name for name in devices if name.startswith("wasm")]:
                if device != page.input_value("#device"):
                    page.select_option("#device", device)
                    until(page, f"document.getElementById('device').value === '{device}'")
                count = device.removeprefix("wasm-")
                measure(page, f"browser, {count} thread{'s' * (count != '1')}", args.seconds)


if __name__ == "__main__":
    main()
