"""The texts that can be translated: collected from templates, Python and the Label page's scripts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.template import Context
from django.template.base import Node
from django.template.loader import get_template
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

from deploy import catalogs
from deploy.settings import BASE_DIR

APPS = ("labeling", "clustering", "mlassist", "deploy")
PYTHON: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "Sentence": None,
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
CALL = re.compile(r"(?<![\w.$])(?<!function )(tn?)\(")
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
HEADER = ("Language", "Content-Type", "Plural-Forms")  # dates and names are in the history

# A text, or one for one thing and others for several; its context.
Text = tuple[str | tuple[str, ...], str | None]


class NoLiteral(Exception):
    """A script asks for a text that nobody can collect."""


def collect() -> Catalog:
    """Return every text that can be translated, with the files it is in."""
    catalog = Catalog()
    for path, (text, context) in everything():
        # Without the line, which would change with every edit above it.
        catalog.add(text, locations=[(path, 0)], context=context)
    return catalog


def everything() -> Iterator[tuple[str, Text]]:
    for folder in (BASE_DIR / "templates", *(BASE_DIR / app / "templates" for app in APPS)):
        for path in sorted(folder.rglob("*.html")):
            yield from ((name(path), each) for each in of_template(str(path.relative_to(folder))))
    for app in APPS:
        for path in sorted((BASE_DIR / app).rglob("*.py")):
            yield from ((name(path), each) for each in of_python(path))
        for path in sorted((BASE_DIR / app).rglob("*.js")):
            if catalogs.LABEL_PAGE in name(path):
                yield from ((name(path), each) for each in of_script(path.read_text()))


def name(path: Path) -> str:
    return str(path.relative_to(BASE_DIR))


def of_template(path: str) -> Iterator[Text]:
    template = get_template(path).template  # type: ignore[attr-defined]
    for node in template.nodelist.get_nodes_by_type(Node):
        if isinstance(node, TranslateNode):
            yield str(node.filter_expression.var.literal).replace("%", "%%"), context_of(node)
        elif isinstance(node, BlockTranslateNode):
            one = str(node.render_token_list(node.singular)[0])
            several = str(node.render_token_list(node.plural)[0]) if node.plural else ""
            yield (one, several) if several else one, context_of(node)


def context_of(node: TranslateNode | BlockTranslateNode) -> str | None:
    return str(node.message_context.resolve(Context())) if node.message_context else None


def of_python(path: Path) -> Iterator[Text]:
    with path.open("rb") as file:
        for _, text, _, context in extract("python", file, keywords=PYTHON):
            yield text, context


def of_script(script: str) -> Iterator[Text]:
    """Yield the texts of t("…") and tn(count, "…", "…"). Raises NoLiteral where they are something else."""
    script = COMMENT.sub("", script)
    for call in CALL.finditer(script):
        start = call.end() if call[1] == "t" else script.index('"', call.end())
        one = TEXT.match(script, start)
        if one is None:
            raise NoLiteral(script[call.start() : call.start() + 60])
        if call[1] == "t":
            yield json.loads(one[0]), None
            continue
        several = TEXT.match(script, re.compile(r"\s*,\s*").match(script, one.end()).end())  # type: ignore[union-attr]
        if several is None:
            raise NoLiteral(script[call.start() : call.start() + 60])
        yield (json.loads(one[0]), json.loads(several[0])), None


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def update(path: Path, found: Catalog) -> Catalog:
    """Add to a catalog's file what is new, take out what is gone, and return it."""
    catalog = read(path)
    for each in found:
        known = catalog.get(each.id, each.context)
        if known is not None and known.id != each.id:  # it has become a plural, or none any more
            catalog.delete(known.id, known.context)
    catalog.update(found, no_fuzzy_matching=True)
    with path.open("wb") as file:
        file.write(header(catalog).encode())
        write_po(file, catalog, width=100, omit_header=True, ignore_obsolete=True, include_lineno=False)
    return catalog


def missing(catalog: Catalog) -> list[str]:
    """Return the texts without a translation."""
    return [
        str(each.id)
        for each in catalog
        if each.id and not (all(each.string) if isinstance(each.string, tuple) else each.string)
    ]


def header(catalog: Catalog) -> str:
    lines = "".join(f'"{key}: {value}\\n"\n' for key, value in catalog.mime_headers if key in HEADER)
    return f'msgid ""\nmsgstr ""\n{lines}\n'
