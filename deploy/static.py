"""The stylesheets and scripts that the web process serves, gathered under names with their hash."""

import hashlib
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders


def build() -> None:
    """Run collectstatic, unless nothing changed since the last time."""
    mark = Path(settings.STATIC_ROOT) / "sources.sha256"
    now = fingerprint()
    if mark.exists() and mark.read_text() == now:
        return
    manage = Path(__file__).resolve().parent.parent / "manage.py"
    subprocess.run(
        [sys.executable, str(manage), "collectstatic", "--noinput", "--clear", "--verbosity", "0"], check=True
    )
    mark.write_text(now)


def fingerprint() -> str:
    """Return a hash over names, sizes and times of all static files of all apps."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
