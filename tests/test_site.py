"""The pages of the documents: complete, true to the code, and a site without a broken link."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
from importlib.util import find_spec
from pathlib import Path

import first_order_motion
import pytest
from first_order_motion.animation.registry import KINDS
from first_order_motion.cli.main import build_parser
from first_order_motion.core.weights.architecture import Architecture
from PIL import Image
from support.paths import ROOT, of_every_architecture

DOCS = ROOT / "docs"
BUILD = runpy.run_path(str(DOCS / "build.py"))
LARGEST = 2_200_000  # bytes of all pictures together: they are cloned with the code
FOREIGN = {
    *("--no-deps", "--logdir", "--bind", "--directory"),  # of pip, TensorBoard and Python's http.server
    *(
        "--standalone",
        "--nproc_per_node",
        "--nnodes",
        "--node_rank",
        "--max-restarts",
        "--rdzv-backend",
        "--rdzv-endpoint",
        "--rdzv-id",
    ),
    *("--nodes", "--ntasks-per-node", "--gpus-per-node", "--cpus-per-task", "--signal", "--requeue"),
    *("--frames", "--batch", "--repeats", "--cpu-time", "--published", "--mobile"),  # of tests/benchmarks
    *("--devices", "--architectures", "--no-rewrites"),
}
"""Options in the documents that are of other programs."""

ADDED = [file.ARCHITECTURE.id for file in of_every_architecture("architecture.py").values()]
OURS = [kind for kind in KINDS.values() if isinstance(kind, Architecture) and kind.id not in ADDED]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Zensical builds from; links into the repository are checked while it is laid out."""
    folder = tmp_path_factory.mktemp("site")
    BUILD["lay_out"](folder)
    return folder


def pages() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]}


def parsers() -> list[argparse.ArgumentParser]:
    return [*runpy.run_path(str(DOCS / "help.py"))["subcommands"](build_parser())]


def test_every_page_is_in_the_list_of_the_site(stage: Path) -> None:
    config = (stage / "zensical.toml").read_text("utf-8")
    for page in stage.glob("docs/**/*.md"):
        assert f'"{page.relative_to(stage / "docs").as_posix()}"' in config
    assert '"live.md"' not in config or (DOCS / "live.md").is_file()


def test_the_command_lines_page_has_the_help_of_every_command(stage: Path) -> None:
    page = (stage / "docs" / "command-line.md").read_text("utf-8")
    commands = parsers()
    assert len(commands) >= 12
    for command in commands:
        assert f"### {command.prog}\n" in page
    assert "--driving-boxes" in page and "<!--" not in page


def test_the_pages_for_python_have_every_public_name(stage: Path) -> None:
    page = (stage / "docs" / "python.md").read_text("utf-8")
    for name in first_order_motion.__all__:
        assert f"### {name}\n" in page
    assert "#### Predictor.load\n" in page and "model: str | Path = 'drawn-faces'" in page


def test_options_in_the_documents_exist() -> None:
    known = {option for parser in parsers() for action in parser._actions for option in action.option_strings}
    known |= {"--version"} | FOREIGN
    for name, text in pages().items():
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]*", text):
            assert option in known, f"{name}: {option}"


def test_commands_in_the_documents_parse() -> None:
    count = 0
    for name in ("README.md", "quick-start.md", "gallery.md", "faces.md", "motion.md", "detail.md", "command-line.md"):
        for line in re.findall(
            r"^ *python animate\.py ((?:run|motion|convert) .*)$", pages()[name].replace("\\\n", " "), re.M
        ):
            build_parser().parse_args(shlex.split(line, comments=True))
            count += 1
    assert count >= 15


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.id)
def test_every_model_has_its_files_and_a_picture(kind: Architecture) -> None:
    page = pages()["models.md"]
    for row in kind.published:
        assert row.files[0].removesuffix(".pth.tar").removesuffix(".pth") in page, row.name
        if row.licence is not None:
            assert row.licence.split()[0] in page
    if kind.published:
        assert f"](models/{kind.id}.png)" in page


def test_comfyuis_page_names_every_template_and_node() -> None:
    page = pages()["comfyui.md"]
    for path in ROOT.glob("workflows/*.json"):
        assert path.stem in page, path.name
    for path in ROOT.glob("web/docs/*.md"):
        assert f"](../web/docs/{path.name})" in page, path.name


def test_pictures_are_shown_and_small() -> None:
    text = "".join(pages().values())
    pictures = [path for folder in ("gallery", "models") for path in (DOCS / folder).iterdir()]
    assert len(pictures) >= 17 and sum(path.stat().st_size for path in pictures) < LARGEST
    for path in pictures:
        assert f"{path.parent.name}/{path.name})" in text
        with Image.open(path) as picture:
            assert getattr(picture, "is_animated", False) == (path.suffix == ".webp")


@pytest.mark.parametrize("link", ["nowhere.md", "../core/nowhere.py", "gallery/nowhere.png", "../../outside.md"])
def test_a_link_to_nothing_is_refused(link: str) -> None:
    relinked, pages_ = BUILD["relinked"], BUILD["site_pages"]()
    with pytest.raises(Exception, match=re.escape(f"docs/faces.md links to {link}, which is not there")):
        relinked(f"See [this]({link}#part).", "docs/faces.md", pages_)


def test_links_lead_to_pages_to_pictures_and_to_the_repository() -> None:
    text = "[a](../SECURITY.md) ![b](gallery/wall.webp) [c](motion.md#x) [d](../core/types.py) "
    text += "[e](https://x.y) [f](#z) `[g](h)`"
    repository = f"{BUILD['REPOSITORY']}/tree/main/core/types.py"
    assert BUILD["relinked"](text, "docs/faces.md", BUILD["site_pages"]()) == (
        f"[a](security.md) ![b](gallery/wall.webp) [c](motion.md#x) [d]({repository}) [e](https://x.y) [f](#z) `[g](h)`"
    )
    node = BUILD["relinked"]("[a](../../docs/faces.md)", "web/docs/FOMM_Runner.md", BUILD["site_pages"]())
    assert node == "[a](../faces.md)"


def test_a_folder_of_something_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="name another folder"):
        BUILD["build"](tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


@pytest.mark.skipif(find_spec("zensical") is None, reason="Zensical, which needs Python 3.11, builds the site")
@pytest.mark.slow
def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    BUILD["build"](tmp_path / "site")
    front = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "gallery/faces.webp" in front and (tmp_path / "site" / "gallery" / "faces.webp").is_file()
    assert (tmp_path / "site" / "nodes" / "FOMM_Runner" / "index.html").is_file()
    loaded = re.findall(r'<(?:link[^>]+rel="stylesheet"[^>]*|script[^>]*|img[^>]*)(?:src|href)="(https?:[^"]+)', front)
    assert not loaded  # pages load nothing from other hosts
    assert 'data-md-component="source"' not in front  # whose script would ask GitHub for stars and releases
    assert f'href="{BUILD["REPOSITORY"]}"' in front
