"""Addresses of buckets: taken apart, and the patterns that say which of their files are meant.

`s3://bucket/photos/**` is everything below photos, `s3://bucket/**/*.*` everything that has an ending, and
`s3://bucket/photos/*.jpg` what lies in photos itself. Without a pattern an address means all that lies below.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from fsspec.utils import glob_translate

KINDS = {
    "s3": "s3",
    "az": "azure",
    "abfs": "azure",
    "gs": "gcs",
    "gcs": "gcs",
    "http": "http",
    "https": "http",
}
BUCKETS = {
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "azure": re.compile(r"[a-z0-9$][a-z0-9-]{0,62}"),
    "gcs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
}
MAGIC = re.compile(r"[*?\[]")
EXAMPLES = "s3://bucket/folder/**, az://container/**, gs://bucket/** or https://example.com/list.txt"


class AddressRefused(Exception):
    """Why an address cannot be used, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Address:
    kind: str
    bucket: str
    root: str  # the folder that all of the pattern's files are in, without a / at its ends
    pattern: str  # what follows the folder

    @property
    def prefix(self) -> str:
        return f"{self.root}/" if self.root else ""

    def key(self, path: str) -> str:
        """Return the bucket's name of a file from its path below the root."""
        return f"{self.prefix}{path}"

    def path(self, key: str) -> str | None:
        """Return the path below the root of a bucket's file; None where the pattern does not mean it."""
        if not key.startswith(self.prefix) or key.endswith("/"):
            return None
        path = key.removeprefix(self.prefix)
        return path if path and matches(self.pattern, path) else None


def apart(path: str) -> tuple[str, str]:
    """Return the folder and the pattern of a path of this machine; "" where it has none."""
    parts = path.split("/")
    fixed = next((number for number, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    return "/".join(parts[:fixed]) or "/", "/".join(parts[fixed:])


def kind_of(address: str) -> str:
    """Return the kind of source that an address leads to. Raises AddressRefused."""
    kind = KINDS.get(address.partition("://")[0].lower()) if "://" in address else None
    if kind is None:
        raise AddressRefused(f"Write an address like {EXAMPLES}.")
    return kind


def parse(address: str) -> Address:
    """Take the address of a bucket apart. Raises AddressRefused."""
    kind = kind_of(address)
    bucket, _, path = address.partition("://")[2].partition("/")
    if kind not in BUCKETS or not BUCKETS[kind].fullmatch(bucket):
        raise AddressRefused(f"“{bucket}” is not the name of a bucket. Write an address like {EXAMPLES}.")
    parts = [part for part in path.split("/") if part]
    fixed = next((number for number, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    if fixed == len(parts) and parts and PurePosixPath(parts[-1]).suffix:
        fixed -= 1  # one file
    return Address(kind, bucket, "/".join(parts[:fixed]), "/".join(parts[fixed:]) or "**")


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path fits a pattern; `**` stands for any number of folders, `*` for none."""
    return pattern == "**" or _expression(pattern).match(path) is not None


@lru_cache(maxsize=32)
def _expression(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(glob_translate(pattern))
    except ValueError as error:
        raise AddressRefused(f"“{pattern}” is not a pattern of paths.") from error


def refuse_secrets(url: str) -> None:
    """Raise AddressRefused for a web address with a password in it, or one that cannot be taken apart.

    What an address is called, everybody in a project sees.
    """
    try:
        place = urlsplit(url).netloc
    except ValueError as error:
        raise AddressRefused("This is no web address.") from error
    if "@" in place:
        raise AddressRefused("The address must have no user name or password in it.")


def file_part(url: str) -> str:
    """Return the path of a web address, without what follows a ? or #."""
    return urlsplit(url).path
