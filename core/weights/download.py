"""Downloading of published weights: on request only, resumable, and checked against the published hash.

All of the pack's network code is here and in `http_stream`.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from ..errors import DownloadError, reason_in
from ..file_lock import is_at, lock_at
from ..unfinished import keep, make_folder
from .catalog import PublishedWeights
from .http_stream import Head, HttpStream, SchemeError, check_scheme
from .paths import resolve_inside, sha256_of

logger = logging.getLogger(__name__)

SCHEMES: Final = ("https",)
TIMEOUT: Final = 30.0  # seconds without an answer, or with next to no bytes
LONGEST: Final = 24 * 3600.0  # seconds that a download may take in all; a later one goes on where it stopped
ATTEMPTS: Final = 4
WAIT: Final = 2.0  # seconds before the second attempt; doubles each time
REPORT_EVERY: Final = 0.1  # seconds between two reports
SPARE: Final = 64 * 2**20  # bytes that must stay free on the disk
LARGEST: Final = 4 * 2**30  # bytes; more is no weight file of this pack


class _Unavailable(Exception):  # noqa: N818 (not an error of the caller's: `_fetch_from_any` makes a DownloadError)
    """Reason why an address does not give the published file, in the words after it."""


@dataclass(frozen=True, slots=True)
class _Transfer:
    """Download of one file: its address, its unfinished file, locked for it alone, and its callbacks."""

    url: str
    sha256: str
    size: int | None
    part: Path
    file: IO[bytes]
    progress: Callable[[int, int | None], None]
    check_cancelled: Callable[[], None]
    schemes: tuple[str, ...]
    deadline: float

    @property
    def done(self) -> int:
        """Bytes that the unfinished file holds."""
        return os.fstat(self.file.fileno()).st_size

    def is_published(self) -> bool:
        """Tell whether the unfinished file has the published hash."""
        return sha256_of(self.part, self.check_cancelled) == self.sha256

    def start_anew(self) -> None:
        """Empty the unfinished file."""
        self.file.truncate(0)


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

    Bytes go to `<name>.part`, which a later call continues, and which only one at a time writes to: another that wants
    the same file waits for it. `progress` gets bytes done and in total (None while unknown); `check_cancelled`, called
    several times a second, raises to stop, and the part is kept. A file that is already there and has the published
    hash is taken as it is. Raises DownloadError.
    """
    name = entry.files[0]
    if entry.url is None or entry.sha256 is None:
        lacking = "address" if entry.url is None else "SHA-256"
        raise DownloadError(
            f"{name} has no published {lacking}, so it is not downloaded unchecked; {_by_hand(entry, folder)}."
        )
    addresses = (entry.url, *entry.mirrors)
    for address in addresses:
        check_scheme(address, schemes)
    target, part = resolve_inside(folder, name), resolve_inside(folder, f"{name}.part")
    deadline = time.monotonic() + LONGEST
    try:
        make_folder(folder)
        if not target.exists():
            with _locked(part, check_cancelled) as file:
                if not target.exists():  # as another process may have fetched it meanwhile
                    transfer = _Transfer(
                        *(addresses[0], entry.sha256, entry.size, part, file),
                        *(progress, check_cancelled, schemes, deadline),
                    )
                    if reasons := _fetch_from_any(transfer, addresses, wait):
                        kept = f", which goes on with the {done} bytes that came" if (done := transfer.done) else ""
                        raise DownloadError(
                            f"{name} could not be downloaded: {'; '.join(reasons)}. Try again later{kept}, or "
                            f"{_by_hand(entry, folder)}."
                        )
                    _finish(transfer, target)
                    return target
        if sha256_of(target, check_cancelled) != entry.sha256:
            raise DownloadError(f"{target} is not the published file; rename or delete it to download that.")
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"{target} cannot be written ({reason_in(error)}); check the folder and its free space."
        ) from error
    return target


def _by_hand(entry: PublishedWeights, folder: Path) -> str:
    return f"get it from {entry.page} and put it into {folder}"


@contextmanager
def _locked(part: Path, check_cancelled: Callable[[], None]) -> Generator[IO[bytes], None, None]:
    """Open the unfinished file for this download alone, when no other has it; if it stays empty it goes again."""
    said = False
    while True:
        if part.exists() and not part.is_file():
            raise DownloadError(f"{part} is no ordinary file, which is needed for what comes in; delete it.")
        with part.open("ab+") as file:
            if lock_at(file, part):  # else another download has it, or has given it its name since it was opened
                keep(part)
                try:
                    yield file
                finally:
                    if not file.closed and os.fstat(file.fileno()).st_size == 0 and is_at(file, part):
                        with suppress(OSError):  # some systems delete no open file
                            part.unlink()
                return
        if not said:
            logger.info("waiting for another download of %s", part.stem)
        said = True
        _pause(1.0, check_cancelled)


def _finish(transfer: _Transfer, target: Path) -> None:
    """Give the file its name; where the system allows that before the lock is given back."""
    if os.name == "nt":
        transfer.file.close()
    transfer.part.replace(target)
    logger.info("downloaded %s", target)


def _verify(transfer: _Transfer) -> None:
    """Empty the unfinished file and raise _Unavailable if it is not the published one."""
    came = sha256_of(transfer.part, transfer.check_cancelled)
    if came != transfer.sha256:
        transfer.start_anew()
        raise _Unavailable(
            f"gave a file with SHA-256 {came}, but {transfer.sha256} is the published one; it was deleted"
        )


def _fetch_from_any(transfer: _Transfer, addresses: Sequence[str], wait: float) -> list[str]:
    """Fetch the published file from the first address that has it; return why those that were asked do not give it.

    Without such a reason the file is there.
    """
    reasons: list[str] = []
    for address in addresses:
        if reasons:
            logger.warning("%s. Trying %s.", reasons[-1], address)
        here = replace(transfer, url=address)
        try:
            _fetch(here, wait)
            _verify(here)
            return []
        except _Unavailable as reason:
            reasons.append(f"{address} {reason}")
        if time.monotonic() > transfer.deadline:
            break
    return reasons


def _fetch(transfer: _Transfer, wait: float) -> None:
    """Bring the unfinished file to its full size, in a bounded number of attempts."""
    for attempt in range(1, ATTEMPTS + 1):
        transfer.check_cancelled()
        try:
            _attempt(transfer)
            return
        except ConnectionError as error:
            if attempt == ATTEMPTS:
                raise _Unavailable(f"failed {ATTEMPTS} times ({error})") from error
            logger.warning("download of %s was interrupted (%s), trying again", transfer.url, error)
        except SchemeError as error:  # of a redirect, as the address itself was checked
            raise _Unavailable(f"redirects ({str(error).removesuffix('.')})") from error
        _pause(wait * 2 ** (attempt - 1), transfer.check_cancelled)


def _pause(seconds: float, check_cancelled: Callable[[], None]) -> None:
    """Sleep, but look for a cancel several times a second."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check_cancelled()
        time.sleep(min(left, 0.2))


def _attempt(transfer: _Transfer) -> None:
    """Request once the bytes that the unfinished file lacks; ConnectionError where another attempt may help."""
    start = transfer.done
    with HttpStream(transfer.url, start, transfer.schemes, TIMEOUT, transfer.check_cancelled) as stream:
        head = stream.head()
        if head.status in (200, 206):
            _receive(stream, head, transfer, start)
        else:
            _handle_status(head.status, transfer, start)


def _handle_status(status: int, transfer: _Transfer, start: int) -> None:
    """Handle an answer without the file: return if the unfinished file is complete, else ask for a retry or give up."""
    if status == 416 and start:  # nothing comes after byte `start`
        if transfer.is_published():
            return
        transfer.start_anew()
        raise ConnectionError("the unfinished file did not fit and was deleted")
    if status in (408, 429) or status >= 500:
        raise ConnectionError(f"status {status}")
    what = (
        f"was redirected without end or to nowhere (status {status})"
        if 300 <= status < 400
        else (f"was refused with status {status}")
    )
    raise _Unavailable(what)


def _receive(stream: HttpStream, head: Head, transfer: _Transfer, start: int) -> None:
    """Write an answer to the end of the unfinished file, or as a new one if it is the whole file."""
    if head.encoding != "identity":
        raise _Unavailable("gave it compressed, unasked")
    partial = head.status == 206
    if partial and head.first != start:
        transfer.start_anew()
        raise ConnectionError(f"other bytes came than those from {start} on")
    done, reported = start if partial else 0, 0.0
    total = transfer.size if head.length is None else done + head.length
    _check_size(transfer, done, total)
    if not partial:
        transfer.start_anew()
    for block in stream.blocks():
        done += len(block)
        if done > (total or LARGEST):
            transfer.start_anew()
            raise _Unavailable(f"sends more than {total or LARGEST} bytes: another file")
        transfer.file.write(block)
        transfer.file.flush()  # the next attempt asks for what the file lacks, not for what a buffer holds
        if time.monotonic() - reported >= REPORT_EVERY:
            transfer.progress(done, total)
            reported = time.monotonic()
        if time.monotonic() > transfer.deadline:
            raise _Unavailable(f"is too slow ({done} bytes came in {LONGEST / 3600:g} hours)")
    transfer.progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"{done} of {total} bytes came")


def _check_size(transfer: _Transfer, done: int, total: int | None) -> None:
    """Raise _Unavailable, before anything is written, for a file of another size; DownloadError where no space is."""
    if total is not None and (total > LARGEST or (transfer.size is not None and total != transfer.size)):
        raise _Unavailable(f"offers {total} bytes, where {transfer.size or f'at most {LARGEST}'} are expected")
    needed = (total or 0) - done + SPARE
    free = shutil.disk_usage(transfer.part.parent).free
    if free < needed:
        raise DownloadError(
            f"{transfer.part.parent} has {free // 2**20} MiB free, {needed // 2**20} MiB are needed; make room first."
        )
