"""Downloading of published weights: on request only, resumable, and checked against the published hash.

All of the pack's network code is here.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import BaseHandler, Request, build_opener

from ..errors import DownloadError
from .catalog import PublishedWeights
from .paths import resolve_inside, sha256_of

logger = logging.getLogger(__name__)

SCHEMES: Final = ("https",)
HEADERS: Final = {"User-Agent": "ComfyUI-FirstOrderMM", "Accept-Encoding": "identity"}
TIMEOUT: Final = 30.0  # seconds without any byte
ATTEMPTS: Final = 4
WAIT: Final = 2.0  # seconds before the second attempt; doubles each time
BLOCK: Final = 2**18
REPORT_EVERY: Final = 0.1  # seconds between two reports
SPARE: Final = 64 * 2**20  # bytes that must stay free on the disk
LARGEST: Final = 4 * 2**30  # bytes; more is no weight file of this pack


@dataclass(frozen=True, slots=True)
class _Transfer:
    """Download of one file: its address, its unfinished file and its callbacks."""

    url: str
    sha256: str
    size: int | None
    page: str
    part: Path
    progress: Callable[[int, int | None], None]
    check_cancelled: Callable[[], None]
    schemes: tuple[str, ...]


class _SchemeGuard(BaseHandler):
    """Handler that refuses every address, redirects included, whose scheme is not allowed."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes

    def default_open(self, req: Request) -> None:
        """Check a request before any handler connects; urllib calls this by its name."""
        _check_scheme(req.full_url, self.schemes)


def download(
    entry: PublishedWeights,
    folder: Path,
    progress: Callable[[int, int | None], None],
    check_cancelled: Callable[[], None],
    *,
    schemes: tuple[str, ...] = SCHEMES,
    wait: float = WAIT,
) -> Path:
    """Fetch a published weight file into `folder` and return its path.

    Bytes go to `<name>.part`, which a later call continues. `progress` gets bytes done and in total (None
    while unknown); `check_cancelled` raises to stop, and the part is kept. A file that is already there
    and has the published hash is taken as it is. Raises DownloadError.
    """
    name = entry.files[0]
    if entry.url is None or entry.sha256 is None:
        lacking = "address" if entry.url is None else "SHA-256"
        raise DownloadError(
            f"{name} has no published {lacking}, so it is not downloaded unchecked; "
            f"get it from {entry.page} and put it into {folder}."
        )
    _check_scheme(entry.url, schemes)
    target, part = resolve_inside(folder, name), resolve_inside(folder, f"{name}.part")
    transfer = _Transfer(entry.url, entry.sha256, entry.size, entry.page, part, progress, check_cancelled, schemes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _fetch(transfer, wait)
            _verify(transfer)
            part.replace(target)
            logger.info("downloaded %s", target)
        elif sha256_of(target, check_cancelled) != entry.sha256:
            raise DownloadError(f"{target} is not the published file; rename or delete it to download that.")
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"{target} cannot be written ({error}); check the folder and its free space.") from error
    return target


def _verify(transfer: _Transfer) -> None:
    """Delete the unfinished file and raise DownloadError if it is not the published one."""
    came = sha256_of(transfer.part, transfer.check_cancelled)
    if came != transfer.sha256:
        transfer.part.unlink()
        raise DownloadError(
            f"{transfer.url} gave a file with SHA-256 {came}, but {transfer.sha256} is the published one; it was "
            f"deleted. Try again, or get the file from {transfer.page}."
        )


def _fetch(transfer: _Transfer, wait: float) -> None:
    """Bring the unfinished file to its full size, in a bounded number of attempts."""
    for attempt in range(1, ATTEMPTS + 1):
        transfer.check_cancelled()
        try:
            _attempt(transfer)
            return
        except ConnectionError as error:
            if attempt == ATTEMPTS:
                raise DownloadError(
                    f"{transfer.url} failed {ATTEMPTS} times ({error}); try again later (what came is kept), "
                    f"or get the file from {transfer.page}."
                ) from error
            logger.warning("download of %s was interrupted (%s), trying again", transfer.url, error)
        _pause(wait * 2 ** (attempt - 1), transfer.check_cancelled)


def _pause(seconds: float, check_cancelled: Callable[[], None]) -> None:
    """Sleep, but look for a cancel several times a second."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check_cancelled()
        time.sleep(min(left, 0.2))


def _attempt(transfer: _Transfer) -> None:
    """Request once the bytes that the unfinished file lacks; ConnectionError where another attempt may help."""
    start = transfer.part.stat().st_size if transfer.part.exists() else 0
    headers = {**HEADERS, "Range": f"bytes={start}-"} if start else HEADERS
    request = Request(transfer.url, headers=headers)  # noqa: S310 (the scheme was checked)
    try:
        response = build_opener(_SchemeGuard(transfer.schemes)).open(request, timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            _handle_error_status(error, transfer, start)
    except DownloadError:
        raise
    except (OSError, HTTPException) as error:
        raise ConnectionError(str(error)) from error
    else:
        with response:
            _receive(cast(HTTPResponse, response), transfer, start)


def _check_scheme(url: str, schemes: tuple[str, ...]) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in schemes:
        raise DownloadError(
            f"{url} is not downloaded: its scheme is {scheme!r}, and only {', '.join(schemes)} is safe."
        )


def _handle_error_status(error: HTTPError, transfer: _Transfer, start: int) -> None:
    """Handle a status of 400 or above: return if the unfinished file is complete, else ask for a retry or give up."""
    if error.code == 416 and start:  # nothing comes after byte `start`
        if sha256_of(transfer.part, transfer.check_cancelled) == transfer.sha256:
            return
        transfer.part.unlink()
        raise ConnectionError("the unfinished file did not fit and was deleted") from error
    if error.code in (408, 429) or error.code >= 500:
        raise ConnectionError(f"status {error.code}") from error
    raise DownloadError(
        f"{transfer.url} was refused with status {error.code}; get the file from {transfer.page}."
    ) from error


def _receive(response: HTTPResponse, transfer: _Transfer, start: int) -> None:
    """Write an answer to the end of the unfinished file, or as a new one if it is the whole file."""
    partial = response.status == 206
    if partial and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        transfer.part.unlink(missing_ok=True)
        raise ConnectionError(f"other bytes came than those from {start} on")
    done, reported = start if partial else 0, 0.0
    total = transfer.size if response.length is None else done + response.length
    _check_size(transfer, done, total)
    with transfer.part.open("ab" if partial else "wb") as file:
        for block in _blocks(response):
            done += len(block)
            if done > (total or LARGEST):
                raise DownloadError(f"{transfer.url} sends more than {total or LARGEST} bytes; it is another file.")
            file.write(block)
            if time.monotonic() - reported >= REPORT_EVERY:
                transfer.progress(done, total)
                reported = time.monotonic()
            transfer.check_cancelled()
    transfer.progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"{done} of {total} bytes came")


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it comes in; failures of the network are ConnectionErrors."""
    try:
        while block := response.read1(BLOCK):
            yield block
    except (OSError, HTTPException) as error:
        raise ConnectionError(str(error)) from error


def _check_size(transfer: _Transfer, done: int, total: int | None) -> None:
    """Raise DownloadError, before anything is written, for a file of another size or too little free space."""
    if total is not None and (total > LARGEST or (transfer.size is not None and total != transfer.size)):
        raise DownloadError(
            f"{transfer.url} offers {total} bytes, {transfer.size or f'at most {LARGEST}'} are expected; it is another "
            f"file. Get it from {transfer.page}."
        )
    needed = (total or 0) - done + SPARE
    free = shutil.disk_usage(transfer.part.parent).free
    if free < needed:
        raise DownloadError(
            f"{transfer.part.parent} has {free // 2**20} MiB free, {needed // 2**20} MiB are needed; make room first."
        )
