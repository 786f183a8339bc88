"""Builds the site of the documents: `python docs/build.py [FOLDER]`, by default into `site`.

Pages are copied with what they refer to; the reference of the command line and of the Python names is made of the code
itself. Links are checked: those into the repository here, those between pages by Zensical, whose warnings are errors.
"""

from __future__ import annotations

import posixpath
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
REPOSITORY: Final = "https://github.com/first-order-motion/first-order-motion"
PAGES: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "checkpoints/README.md": "bundled-model.md",
}
"""Pages of the site that lie outside `docs`, by their places in the repository."""

PICTURES: Final = ("gallery", "models")
MARKS: Final = {"<!-- help of every command -->": "help.py", "<!-- public names -->": "reference.py"}
"""Places in pages that are filled, and the script beside this one whose `write` makes the text."""

NODE_MARK: Final = "    # pages of web/docs\n"
_LINK: Final = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
_FENCE: Final = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_PAGE: Final = re.compile(r'"([\w/-]+\.md)"')


class BrokenLink(Exception):  # noqa: N818 (as it is called in words)
    """Link of a page that leads nowhere, or another fault that Zensical finds."""


def site_pages() -> dict[str, str]:
    """Return the places of all pages on the site by their places in the repository."""
    own = {f"docs/{path.name}": path.name for path in sorted(DOCS.glob("*.md"))}
    nodes = {path.relative_to(ROOT).as_posix(): f"nodes/{path.name}" for path in sorted(ROOT.glob("web/docs/*.md"))}
    return {**PAGES, **own, **nodes}


def relinked(text: str, place: str, pages: Mapping[str, str]) -> str:
    """Lead the links of a page to pages of the site, to copied pictures, or to the repository.

    `place` is the page's in the repository. Raises BrokenLink.
    """

    def lead(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(place), match[1]))
        fragment = match[2] or ""
        if target in pages:
            found = pages[target]
        elif target.startswith(tuple(f"docs/{folder}/" for folder in PICTURES)) and (ROOT / target).is_file():
            found = target.removeprefix("docs/")
        elif (ROOT / target).exists() and not target.startswith(".."):
            return f"{REPOSITORY}/tree/main/{target}{fragment}"
        else:
            raise BrokenLink(f"{place} links to {match[1]}, which is not there. Correct the link.")
        return posixpath.relpath(found, posixpath.dirname(pages[place]) or ".") + fragment

    parts = _FENCE.split(text)  # links in code are no links
    return "".join(part if index % 2 else _LINK.sub(lead, part) for index, part in enumerate(parts))


def filled(text: str) -> str:
    """Fill the marked places of a page with what the code says of itself."""
    for mark, script in MARKS.items():
        if mark in text:
            text = text.replace(mark, runpy.run_path(str(DOCS / script))["write"]())
    return text


def title_of(page: Path) -> str:
    """Read the first heading of a page."""
    return page.read_text("utf-8").split("\n", 1)[0].lstrip("# ").strip()


def with_nav(config: str, stage: Path) -> str:
    """Add the nodes' pages to the configuration's list, and leave out pages that are not there."""
    nodes = [f'    {{ "{title_of(page)}" = "nodes/{page.name}" }},\n' for page in sorted(stage.glob("nodes/*.md"))]
    lines = config.replace(NODE_MARK, "".join(nodes)).splitlines(keepends=True)
    return "".join(line for line in lines if all((stage / page).is_file() for page in _PAGE.findall(line)))


def lay_out(folder: Path) -> None:
    """Write everything that Zensical reads into a folder. Raises BrokenLink."""
    stage, pages = folder / "docs", site_pages()
    for place, page in pages.items():
        target = stage / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled(relinked((ROOT / place).read_text("utf-8"), place, pages)), "utf-8")
    for name in PICTURES:
        shutil.copytree(DOCS / name, stage / name)
    config = (DOCS / "zensical.toml").read_text("utf-8")
    (folder / "zensical.toml").write_text(with_nav(config, stage), "utf-8")


def build(target: Path) -> None:
    """Build the site and put it where an earlier one may be; raises BrokenLink or FileExistsError."""
    if target.exists() and not (target / "sitemap.xml").is_file() and any(target.iterdir()):
        raise FileExistsError(f"{target} holds something else than an earlier site; name another folder.")
    with TemporaryDirectory() as name:
        lay_out(Path(name))
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True)
        if done.returncode:
            raise BrokenLink((done.stdout + done.stderr).split("Traceback")[0].strip())
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(Path(name) / "site", target)


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site")
    except (BrokenLink, FileExistsError) as error:
        sys.exit(f"error: {error}")
