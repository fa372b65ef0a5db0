"""Buckets and web addresses, through fsspec: listed page by page, read, and addressed for a short while.

Nothing here uses what this server itself may do elsewhere: who gives no credentials reads as anybody may. No
connection leads into private networks unless the settings say so, whatever a name or a redirect leads to.
"""

import asyncio
import errno
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import fsspec
from django.conf import settings
from fsspec.asyn import sync

from labeling import addresses, outbound, sealing
from labeling.listing import Found
from labeling.models import DataSource

if TYPE_CHECKING:
    import aiohttp

PAGE = 1_000  # files that one request for a listing brings
SECONDS = 60  # until an answer must be there, whole
SLOWEST = 256 << 10  # bytes of an object a second: who sends it more slowly is not waited for
TRIES = 3
REDIRECTS = 5
LONGEST_LIST = 512 * 2**20  # bytes of a list of addresses
BEGINNING = 64 << 10  # bytes of a list that tell whether it is there
MOST_LISTED = 100_000_000  # names in a bucket; a page without any counts like a full one
LARGEST = 1 << 50  # bytes of an object
AZURE_HOST = "blob.core.windows.net"
ERRNO = re.compile(r"^\[Errno \d+\] ")
SHORTEST_SECRET = 6
SECRET_PARTS = re.compile(r"(sig|X-Amz-[A-Za-z-]+|X-Goog-[A-Za-z-]+|token)=[^&\s'\"]+", re.IGNORECASE)


class Missing(Exception):
    """There is no such file, bucket or page."""


class Unreachable(OSError):
    """Why a source cannot be read at the moment, in a sentence for people."""


class NotThis(Exception):
    """Why one address gives no file, in a sentence for people; others may."""


class Changed(Exception):
    """Another file lies there than the one that was listed."""


class TooLarge(Exception):
    """It has more bytes than were asked for at the most."""


@contextmanager
def telling(source: DataSource) -> Iterator[None]:
    """Turn what the many libraries raise into Missing and Unreachable, without anything secret."""
    try:
        yield
    except (Missing, Unreachable, NotThis, TooLarge, Changed):
        raise
    except FileNotFoundError:
        raise Missing(f"{source.name} does not exist there, or these credentials do not open it.") from None
    except sealing.Unopened as error:
        raise Unreachable(str(error)) from error
    except PermissionError:
        raise Unreachable(f"{source.name} refuses these credentials, or needs some.") from None
    except Exception as error:  # noqa: BLE001  # of many libraries; what caused it may hold what is secret
        raise Unreachable(f"{source.name} cannot be read: {scrubbed(source, error)}") from None


def scrubbed(source: DataSource, error: Exception) -> str:
    """Return what an error says, in a line without anything secret."""
    text = ERRNO.sub("", str(error)) or type(error).__name__
    try:
        secrets = sealing.unseal(source.credentials).values()
    except sealing.Unopened:
        secrets = {}.values()
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:  # else half of the words would go
            text = text.replace(secret, "…")
    return " ".join(SECRET_PARTS.sub(r"\1=…", text).split())[:200]


# File systems


def file_system(source: DataSource) -> Any:
    """Return fsspec's file system for a source; the same one in each call of a process."""
    secret = sealing.unseal(source.credentials)
    make = {"s3": _s3, "azure": _azure, "gcs": _gcs, "http": _http}[source.kind]
    return make(source.options, secret)


def _s3(options: dict[str, str], secret: dict[str, str]) -> Any:
    from labeling import bounded  # what it needs takes a second

    endpoint, region = options.get("endpoint"), options.get("region")
    config: dict[str, Any] = {
        "connector_args": {"socket_factory": GUARDS[settings.LOUPE_SOURCES_PRIVATE]},
        "connect_timeout": 10,
        "read_timeout": SECONDS,
        "max_pool_connections": 32,
        "retries": {"max_attempts": 1},  # s3fs tries again itself
        "signature_version": "s3v4" if secret else None,
        "http_session_cls": bounded.Session,
    }
    if endpoint:
        config["s3"] = {"addressing_style": "path"}
    return fsspec.filesystem(
        "s3",
        anon=not secret,
        key=secret.get("key"),
        secret=secret.get("secret"),
        token=secret.get("token"),
        endpoint_url=endpoint,
        client_kwargs={"region_name": region or "us-east-1"},
        config_kwargs=config,
        use_listings_cache=False,
    )


def _azure(options: dict[str, str], secret: dict[str, str]) -> Any:
    account = options["account"]
    endpoint = options.get("endpoint") or f"https://{account}.{AZURE_HOST}"
    parts = [f"BlobEndpoint={endpoint}", f"AccountName={account}"]
    if "key" in secret:
        parts.append(f"AccountKey={secret['key']}")
    elif "sas" in secret:
        parts.append(f"SharedAccessSignature={secret['sas'].removeprefix('?')}")
    return fsspec.filesystem(
        "abfs", account_name=account, connection_string=";".join(parts), use_listings_cache=False
    )


def _gcs(options: dict[str, str], secret: dict[str, str]) -> Any:
    token: Any = "anon"  # noqa: S105
    if secret:
        token = {
            "type": "service_account",
            "client_email": secret["email"],
            "private_key": secret["key"],
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    # Else it asks another server, by gRPC and for most of a minute, of what kind the bucket is.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    # The project only matters for making and listing buckets, but gcsfs asks for one.
    return fsspec.filesystem("gcs", token=token, project="loupe", use_listings_cache=False)


def _http(options: dict[str, str], secret: dict[str, str]) -> Any:
    return fsspec.filesystem(
        "http", get_client=CLIENTS[settings.LOUPE_SOURCES_PRIVATE], use_listings_cache=False
    )


async def _client(*, allow_private: bool, loop: Any = None, **options: Any) -> "aiohttp.ClientSession":
    import aiohttp  # takes half a second, which other kinds need not spend

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=GUARDS[allow_private], limit=32),
        timeout=aiohttp.ClientTimeout(total=SECONDS, connect=10),
        headers={"User-Agent": "Loupe"},
        trust_env=False,
    )


# One function for each, so that fsspec knows a file system that it has already.
GUARDS = {allowed: partial(outbound.guard, allow_private=allowed) for allowed in (False, True)}
CLIENTS = {allowed: partial(_client, allow_private=allowed) for allowed in (False, True)}


# Listing


def listed(source: DataSource, alive: Callable[[], None] = lambda: None) -> Iterator[Found]:
    """Yield the files of a source as they come, never more than a page in memory.

    `alive` is called with each page, also where nothing on it is meant. Raises Missing and Unreachable.
    """
    if source.kind == DataSource.Kind.HTTP:
        yield from addresses_of(source)
        return
    with telling(source):
        address, names = addresses.parse(source.location), 0
        coming = pages(source, address)
    while True:
        alive()  # whose own exceptions are nobody's fault
        with telling(source):
            page = next(coming, None)
        if page is None:
            return
        names += len(page) or PAGE
        if names > MOST_LISTED:
            raise Unreachable(f"{source.name} lists more than {MOST_LISTED:,} files, or none without end.")
        for key, size, fingerprint in page:
            path = address.path(key)
            if path is not None:
                yield Found(path, min(max(size, 0), LARGEST), fingerprint)


def addresses_of(source: DataSource) -> Iterator[Found]:
    """Yield the addresses of a list on the web, which waits on the disk meanwhile. Raises Unreachable."""
    with tempfile.TemporaryFile() as file:
        try:
            fetch_into(file, source, source.location, LONGEST_LIST)
        except NotThis as error:
            raise Unreachable(f"{source.name} cannot be read. {error}") from error
        except TooLarge as error:
            raise Unreachable("The list is longer than 512 MB. Split it.") from error
        file.seek(0)
        yield from addresses_in(io.TextIOWrapper(file, errors="replace"))


def addresses_in(lines: Iterable[str]) -> Iterator[Found]:
    """Yield the addresses of a list, one a line; what follows a # at its beginning is passed over."""
    for line in lines:
        address = line.strip().lstrip("\ufeff")
        if address and not address.startswith("#"):
            yield Found(address, 0, "")


def check(source: DataSource) -> None:
    """Ask for the beginning of a source's listing. Raises Missing, NotThis and Unreachable."""
    with telling(source):
        if source.kind == DataSource.Kind.HTTP:
            try:
                fetch(source, source.location, BEGINNING)
            except TooLarge:
                return  # there is more of it
        else:
            next(pages(source, addresses.parse(source.location)), None)


Page = list[tuple[str, int, str]]


def pages(source: DataSource, address: addresses.Address) -> Iterator[Page]:
    """Yield what a bucket lists, as it answers."""
    of_kind = {"s3": _s3_pages, "azure": _azure_pages, "gcs": _gcs_pages}[source.kind]
    return of_kind(file_system(source), address)


def _s3_pages(files: Any, address: addresses.Address) -> Iterator[Page]:
    more: dict[str, str] = {}
    while True:
        page = sync(
            files.loop, files._call_s3, "list_objects_v2",  # noqa: SLF001  # as call_s3, but not for ever
            timeout=SECONDS, Bucket=address.bucket, Prefix=address.prefix, MaxKeys=PAGE, **more,
        )  # fmt: skip
        found = page.get("Contents", ())
        yield [(each["Key"], each["Size"], each.get("ETag", "").strip('"')) for each in found]
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _azure_pages(files: Any, address: addresses.Address) -> Iterator[Page]:
    container = files.service_client.get_container_client(address.bucket)
    pages = container.list_blobs(name_starts_with=address.prefix or None, results_per_page=PAGE).by_page()

    async def following() -> Page | None:
        try:
            page = await anext(pages)
        except StopAsyncIteration:
            return None
        return [(each.name, each.size, (each.etag or "").strip('"')) async for each in page]

    while (page := sync(files.loop, following)) is not None:
        yield page


def _gcs_pages(files: Any, address: addresses.Address) -> Iterator[Page]:
    more: dict[str, str] = {}
    while True:
        page = files.call(
            "GET", "b/{}/o", address.bucket, prefix=address.prefix, maxResults=PAGE, json_out=True,
            fields="items(name,size,etag),nextPageToken", **more,
        )  # fmt: skip
        yield [(each["name"], int(each["size"]), each.get("etag", "")) for each in page.get("items", ())]
        if "nextPageToken" not in page:
            return
        more = {"pageToken": page["nextPageToken"]}


# Reading


def read(source: DataSource, path: str, start: int, end: int, mark: str = "") -> bytes:
    """Return bytes of a file of a bucket, `end` excluded. Raises Missing and Unreachable.

    With the ETag that it was listed with, raises Changed where S3 has another one by now.
    """
    address = addresses.parse(source.location)
    with telling(source):
        files = file_system(source)
        if source.kind == DataSource.Kind.S3:
            seconds = SECONDS + (end - start) // SLOWEST
            key = address.key(path)
            data: bytes = sync(
                files.loop, _s3_read, files, address.bucket, key, start, end, mark, timeout=seconds
            )
        else:
            data = files.cat_file(_full(address, path), start=start, end=end)
        return data


async def _s3_read(files: Any, bucket: str, key: str, start: int, end: int, mark: str) -> bytes:
    """Return bytes of an object, and no more of them whatever its server sends."""
    import aiohttp

    for attempt in range(TRIES):
        try:
            answer = await files._call_s3(  # noqa: SLF001  # fsspec's own way reads whatever comes
                "get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}"
            )
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return b""  # it has become too short to have any of these
        if mark and answer.get("ETag", "").strip('"')[:100] not in (mark, ""):
            answer["Body"].close()
            raise Changed
        try:
            parts, left = [], end - start
            while left and (part := await answer["Body"].read(min(left, 1 << 20))):
                parts.append(part)
                left -= len(part)
        except (aiohttp.ClientError, TimeoutError):
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.2 * 2**attempt)
        else:
            return b"".join(parts)
        finally:
            answer["Body"].close()
    raise AssertionError


def fetch(source: DataSource, url: str, most: int) -> bytes:
    """Return what a web address leads to. Raises Missing, NotThis, TooLarge and Unreachable."""
    with io.BytesIO() as file:
        fetch_into(file, source, url, most)
        return file.getvalue()


def fetch_into(file: IO[bytes], source: DataSource, url: str, most: int) -> None:
    """Write what a web address leads to into a file. Raises what `fetch` raises."""
    with telling(source):
        files = file_system(source)
        sync(files.loop, _fetched, files, url, most, file)


async def _fetched(files: Any, url: str, most: int, file: IO[bytes]) -> None:
    import aiohttp

    session = await files.set_session()
    for attempt in range(TRIES):
        try:
            file.seek(0)
            file.truncate()
            return await _answered(session, url, most, file)
        except (aiohttp.InvalidURL, ValueError) as error:
            raise NotThis("This is no web address.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if attempt == TRIES - 1:
                said = " ".join(SECRET_PARTS.sub(r"\1=…", str(error)).split())[:160]
                raise NotThis(f"It cannot be read: {said or 'no answer in time'}.") from None
            await asyncio.sleep(0.2 * 2**attempt)
    raise AssertionError


async def _answered(session: "aiohttp.ClientSession", url: str, most: int, file: IO[bytes]) -> None:
    from yarl import URL

    async with session.get(URL(url, encoded="%" in url), max_redirects=REDIRECTS) as answer:
        if answer.status in (404, 410):
            raise Missing(f"The server has nothing there: it answers {answer.status}.")
        if answer.status >= 500:
            answer.raise_for_status()
        if answer.status != 200:
            raise NotThis(f"The server does not hand it out: it answers {answer.status}.")
        async for part in answer.content.iter_chunked(1 << 20):
            if file.tell() + len(part) > most:
                raise TooLarge
            file.write(part)


def signed(source: DataSource, path: str, seconds: int) -> str:
    """Return an address that lets whoever has it read a file for a while. Raises Unreachable."""
    address = addresses.parse(source.location)
    with telling(source):
        url: str = file_system(source).sign(_full(address, path), expiration=seconds)
        return url


def _full(address: addresses.Address, path: str) -> str:
    return f"{address.bucket}/{address.key(path)}"
