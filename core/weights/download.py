"""Downloading published weights: on request only, resumable, and checked against the published hash.

All of the pack's network code is here.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Final, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..errors import DownloadError
from .catalog import PublishedWeights
from .digest import sha256_of
from .paths import resolve_inside
from .ranges import first_byte, size_in_refusal, whole_size

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
Check = Callable[[], None]

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
    """One file on its way: from where, into which unfinished file, and whom to tell."""

    entry: PublishedWeights
    url: str
    part: Path
    progress: Progress
    check_cancelled: Check
    schemes: tuple[str, ...]


class _InterruptedError(Exception):
    """The connection broke; another attempt may continue from what came."""


class _CheckedRedirects(HTTPRedirectHandler):
    """Follows redirects, but never to a scheme that is not allowed for the first address."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check_scheme(newurl, self.schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    entry: PublishedWeights,
    folder: Path,
    progress: Progress,
    check_cancelled: Check,
    *,
    schemes: tuple[str, ...] = SCHEMES,
    wait: float = WAIT,
) -> Path:
    """Fetch a published weight file into `folder` and return its path.

    Bytes go to `<name>.part`, which a later call continues. `progress` gets bytes done and in total (None
    while unknown); `check_cancelled` raises to stop, and the part is kept. A file that is already there
    and has the published hash is taken as it is. Raises DownloadError.
    """
    if entry.url is None or entry.sha256 is None:
        lacking = "address" if entry.url is None else "SHA-256"
        raise DownloadError(
            f"{entry.files[0]} has no published {lacking}, so it is not downloaded unchecked; "
            f"get it from {entry.page} and put it into {folder}."
        )
    target = resolve_inside(folder, entry.files[0])
    part = resolve_inside(folder, f"{entry.files[0]}.part")
    transfer = _Transfer(entry, entry.url, part, progress, check_cancelled, schemes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _fetch(transfer, wait)
            _verify(transfer, entry.sha256)
            part.replace(target)
            logger.info("downloaded %s", target)
        elif sha256_of(target, check_cancelled) != entry.sha256:
            raise DownloadError(f"{target} is not the published file; rename or delete it to download that.")
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"{target} cannot be written ({error}); check the folder and its free space.") from error
    return target


def _verify(transfer: _Transfer, sha256: str) -> None:
    """Delete the unfinished file and raise DownloadError if it is not the published one."""
    came = sha256_of(transfer.part, transfer.check_cancelled)
    if came != sha256:
        transfer.part.unlink()
        raise DownloadError(
            f"{transfer.url} gave a file with SHA-256 {came}, but {sha256} is the published one; it was deleted. "
            f"Try again, or get the file from {transfer.entry.page}."
        )


def _fetch(transfer: _Transfer, wait: float) -> None:
    """Bring the unfinished file to its full size, in a bounded number of attempts."""
    for attempt in range(1, ATTEMPTS + 1):
        transfer.check_cancelled()
        try:
            _attempt(transfer)
            return
        except _InterruptedError as error:
            if attempt == ATTEMPTS:
                raise DownloadError(
                    f"{transfer.url} failed {ATTEMPTS} times ({error}); try again later (what came is kept), "
                    f"or get the file from {transfer.entry.page}."
                ) from error
            logger.warning("download of %s was interrupted (%s), trying again", transfer.url, error)
        _pause(wait * 2 ** (attempt - 1), transfer.check_cancelled)


def _pause(seconds: float, check_cancelled: Check) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check_cancelled()
        time.sleep(min(left, 0.2))


def _attempt(transfer: _Transfer) -> None:
    """One request, from the end of the unfinished file on; _InterruptedError where another may succeed."""
    start = transfer.part.stat().st_size if transfer.part.exists() else 0
    try:
        response = _request_rest(transfer, start)
    except HTTPError as error:
        with error:
            _refused(error, transfer, start)
        return
    except DownloadError:
        raise
    except (OSError, HTTPException) as error:
        raise _InterruptedError(str(error)) from error
    with response:
        headers = cast(Mapping[str, str], response.headers)
        begin = first_byte(response.status, headers)
        if begin > start:
            transfer.part.unlink(missing_ok=True)
            raise _InterruptedError(f"byte {begin} came where {start} was asked for")
        total = whole_size(begin, headers) or transfer.entry.size
        _check_size(transfer, begin, total)
        _receive(response, transfer, begin, total)


def _request_rest(transfer: _Transfer, start: int) -> HTTPResponse:
    """Ask for the bytes from `start` on; a server may answer with the whole file all the same."""
    _check_scheme(transfer.url, transfer.schemes)
    headers = {**HEADERS, "Range": f"bytes={start}-"} if start else HEADERS
    request = Request(transfer.url, headers=headers)  # noqa: S310 (the scheme was checked)
    return cast(HTTPResponse, build_opener(_CheckedRedirects(transfer.schemes)).open(request, timeout=TIMEOUT))


def _check_scheme(url: str, schemes: tuple[str, ...]) -> None:
    scheme = urlsplit(url).scheme.lower()
    if scheme not in schemes:
        raise DownloadError(
            f"{url} is not downloaded: its scheme is {scheme!r}, and only {', '.join(schemes)} is safe."
        )


def _refused(error: HTTPError, transfer: _Transfer, start: int) -> None:
    """After a status of 400 or above: the unfinished file is whole, or try again, or give up."""
    if error.code == 416:
        if start == (size_in_refusal(cast(Mapping[str, str], error.headers)) or transfer.entry.size):
            return
        transfer.part.unlink(missing_ok=True)
        raise _InterruptedError("the unfinished file did not fit and was deleted") from error
    if error.code in (408, 429) or error.code >= 500:
        raise _InterruptedError(f"status {error.code}") from error
    raise DownloadError(
        f"{transfer.url} was refused with status {error.code}; get the file from {transfer.entry.page}."
    ) from error


def _check_size(transfer: _Transfer, begin: int, total: int | None) -> None:
    """Refuse before anything is written: another file than the published one, or too little space."""
    size = transfer.entry.size
    if total is not None and (total > LARGEST or (size is not None and total != size)):
        raise DownloadError(
            f"{transfer.url} offers {total} bytes, {size or f'at most {LARGEST}'} are expected; it is another file. "
            f"Get it from {transfer.entry.page}."
        )
    needed = (total or 0) - begin + SPARE
    free = shutil.disk_usage(transfer.part.parent).free
    if free < needed:
        raise DownloadError(
            f"{transfer.part.parent} has {free // 2**20} MiB free, {needed // 2**20} MiB are needed; make room first."
        )


def _receive(response: HTTPResponse, transfer: _Transfer, begin: int, total: int | None) -> None:
    """Write the answer into the unfinished file from byte `begin` on."""
    done, reported = begin, 0.0
    with transfer.part.open("r+b" if begin else "wb") as file:
        file.seek(begin)
        file.truncate()
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
        raise _InterruptedError(f"{done} of {total} bytes came")


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """The body as it comes in; a broken connection is an _InterruptedError."""
    try:
        while block := response.read1(BLOCK):
            yield block
    except (OSError, HTTPException) as error:
        raise _InterruptedError(str(error)) from error
