"""Translations as the processes read them: made from `locale/` when its texts are new, kept in LOUPE_HOME.

Needs no gettext tools. The folder is named by what it was made from, so it is never out of date.
"""

import contextlib
import gettext
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from babel.messages import Catalog

LABEL_PAGE = "static/labeling/label/"  # its scripts get their texts with the page
COUNTED = range(1001)  # numbers that show which plural form goes with which


def sources(folder: Path) -> dict[str, Path]:
    """Return the catalogs by language code, such as pt-br for the folder pt_BR."""
    return {
        path.parts[-3].lower().replace("_", "-"): path
        for path in sorted(folder.glob("*/LC_MESSAGES/django.po"))
    }


def compiled(folder: Path, home: Path) -> Path:
    """Return a folder with the compiled catalogs of `folder`, made under `home` unless it is there."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    found = sources(folder)
    for code, path in found.items():
        digest.update(code.encode() + path.read_bytes())
    made = home / digest.hexdigest()[:16]
    if not made.exists():
        fresh = home / uuid4().hex
        for path in found.values():
            compile_catalog(path, fresh / path.parent.relative_to(folder))
        with contextlib.suppress(OSError):  # of two first starts, one wins
            fresh.rename(made)
        shutil.rmtree(fresh, ignore_errors=True)
    return made


def compile_catalog(path: Path, into: Path) -> None:
    """Write what Django reads, and what goes to the scripts of the Label page."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        catalog = read_po(file, locale=path.parts[-3])
    into.mkdir(parents=True)
    with (into / "django.mo").open("wb") as file:
        write_mo(file, catalog)
    (into / "label.json").write_text(json.dumps(page_texts(catalog), ensure_ascii=False))


def page_texts(catalog: "Catalog") -> dict[str, Any]:
    """Return the Label page's texts by their English, plurals by the names that Intl.PluralRules uses."""
    names = plural_names(catalog)
    texts: dict[str, Any] = {}
    for message in catalog:
        if not any(LABEL_PAGE in path for path, _ in message.locations):
            continue
        text = message.string
        if isinstance(text, tuple) and all(text):
            texts[message.id[0]] = {name: text[form] for name, form in names.items()}
        elif isinstance(text, str) and text:
            texts[str(message.id)] = text
    return texts


def plural_names(catalog: "Catalog") -> dict[str, int]:
    """Return which of the catalog's plural forms goes with each name that the language has for them."""
    assert catalog.locale is not None
    form_of = gettext.c2py(catalog.plural_expr)
    return {catalog.locale.plural_form(number): form_of(number) for number in COUNTED}
