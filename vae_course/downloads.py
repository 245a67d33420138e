"""Files that are read from the disk or fetched from a mirror, known to be whole by the md5 of their contents."""

import contextlib
import gzip
import hashlib
import os
import zlib
from pathlib import Path
from urllib.parse import urlsplit

NETWORK_TIMEOUT = 10  # seconds without an answer, after which a server counts as absent

# What the reader can do about each obstacle.
LOG_IN = "open any page in a browser and log in to the network"
TRUST = ("set the computer's clock right, or, where a company's filter reads along, set REQUESTS_CA_BUNDLE to its "
         "certificate file")
PASS_PROXY = "set HTTPS_PROXY and HTTP_PROXY to a proxy that lets you through, as http://user:password@host:port"
WAIT = "try later"
CONNECT = "connect to a network"


class Unreachable(Exception):
    """A download failed: the reason, and what the reader can do. Of several, the one of the lowest rank says most."""

    def __init__(self, rank: int, reason: str, remedy: str):
        super().__init__(reason)
        self.rank, self.reason, self.remedy = rank, reason, remedy


# ---------------------------------------------------------------- the disk

def packed(path: Path) -> Path:
    """The .gz file beside a file."""
    return path.with_name(f"{path.name}.gz")


def unpacked(content: bytes) -> bytes:
    """What is in a .gz file; nothing if it is not whole, or not one."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return b""


def is_good(content: bytes, md5: str) -> bool:
    """Whether the content has this md5."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == md5


def from_disk(path: Path, md5: str) -> bytes | None:
    """The contents of the file, or of the .gz file beside it; None where neither is whole.

    A damaged file is no error here: another process may be writing it, or unpacking the other, at this moment.
    """
    for candidate, unpack in ((path, bytes), (packed(path), unpacked)):
        try:
            content = unpack(candidate.read_bytes())
        except OSError:
            continue
        if is_good(content, md5):
            return content
    return None


def store(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, whatever stops this process and whoever else writes the same file.

    `checkpoints.write_whole` is for files that one process writes: its temporary file has no name of its own for each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


# ---------------------------------------------------------------- the network

def fetch(mirrors: tuple[str, ...], file: str, md5: str) -> bytes:
    """The .gz file from the first mirror that has it; `md5` is that of its contents.

    Raises:
        Unreachable: if no mirror gave it; says what stands in the way and what to do.
    """
    failures = []
    for mirror in mirrors:
        try:
            return _fetch(f"{mirror}{file}", md5)
        except Unreachable as failure:
            failures.append(failure)
    raise min(failures, key=lambda failure: failure.rank)


def _fetch(url: str, md5: str) -> bytes:
    import requests  # only where something is downloaded

    host = urlsplit(url).hostname
    try:
        answer = requests.get(url, timeout=NETWORK_TIMEOUT)
    except requests.exceptions.ProxyError as error:
        raise Unreachable(2, f"the proxy did not let the download through ({_cause(error)})", PASS_PROXY) from error
    except requests.exceptions.SSLError as error:
        raise Unreachable(1, f"the secure connection (TLS) to {host} failed ({_cause(error)})", TRUST) from error
    except OSError as error:  # all else that requests raises; and a certificate file that is not there
        raise Unreachable(4, f"{host} could not be reached ({_cause(error)})", CONNECT) from error
    if answer.status_code in (200, 511) and answer.content.lstrip().startswith(b"<"):
        raise Unreachable(0, "a web page came in place of the file, as from a network that wants you to log in", LOG_IN)
    if answer.status_code == 407:
        raise Unreachable(2, f"the proxy did not let the download through (407 {answer.reason})", PASS_PROXY)
    if not answer.ok:
        raise Unreachable(3, f"{host} answered {answer.status_code} {answer.reason}", WAIT)
    if not is_good(unpacked(answer.content), md5):
        raise Unreachable(3, f"{host} sent another file, or half of it", WAIT)
    return answer.content


def _cause(error: BaseException) -> str:
    """The words of the first exception of a chain, which the others only wrap."""
    while error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
