"""The stylesheets and scripts that the web process serves, gathered under names with their hash."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rcssmin
import rjsmin
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from whitenoise.storage import CompressedManifestStaticFilesStorage

MINIFIERS = {".js": rjsmin.jsmin, ".css": rcssmin.cssmin}


class Storage(CompressedManifestStaticFilesStorage):
    """Files without comments, under names with their hash, also in imports, so that browsers keep them."""

    # Django follows imports in all scripts or none; others' name files that they do not bring.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "labeling/*.js",
            CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],  # noqa: SLF001
        ),
    )

    def post_process(self, paths: dict[str, Any], *args: Any, **options: Any) -> Iterator[Any]:
        for name in list(paths):
            path = Path(self.path(name))
            minify = MINIFIERS.get(path.suffix)
            if minify and name.startswith("labeling/"):  # others' come minified
                path.write_text(minify(path.read_text()))
                paths[name] = (self, name)
        yield from super().post_process(paths, *args, **options)


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
