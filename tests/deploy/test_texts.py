"""Every text has its translations, with the same places for values."""

import json
import re
from pathlib import Path

import pytest
from babel.messages import Catalog

from deploy import catalogs, texts

FOUND = texts.collect()
SOURCES = catalogs.sources(texts.BASE_DIR / "locale")
PLACE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
TAG = re.compile(r"</?\w+>")


def forms(text: object) -> list[str]:
    return list(text) if isinstance(text, list | tuple) else [str(text)]


def ids(catalog: Catalog) -> dict[tuple[object, str | None], object]:
    return {(each.id, each.context): each.string for each in catalog if each.id}


def test_texts_are_found_wherever_they_are() -> None:
    found = {key[0] for key in ids(FOUND)}
    assert "Sign in" in found  # a template
    assert "Item %(item)s needs exactly one class." in found  # Python
    assert "The polygon crosses itself near %(place)s." in found  # a module without Django
    assert ("Deleted.", "{count} deleted.") in found  # a script


@pytest.mark.parametrize("language", SOURCES)
def test_a_catalog_has_exactly_the_texts_of_the_sources(language: str) -> None:
    catalog = texts.read(SOURCES[language])
    assert set(ids(FOUND)) - set(ids(catalog)) == set(), "manage.py texts adds them"
    assert set(ids(catalog)) - set(ids(FOUND)) == set(), "manage.py texts takes them out"
    assert {each.id for each in catalog if each.fuzzy and each.id} == set()
    assert texts.missing(catalog) == []


@pytest.mark.parametrize("language", SOURCES)
def test_translations_have_the_places_and_tags_of_the_english(language: str) -> None:
    wrong = []
    for (text, _), translated in ids(texts.read(SOURCES[language])).items():
        last = forms(text)[-1]  # the form for several has all places
        for each in forms(translated):
            spare = {"count"} if isinstance(text, tuple) else set()  # "one image" needs no number
            missing = places(last) - places(each) - spare
            if missing or places(each) - places(last) or TAG.findall(each) != TAG.findall(last):
                wrong.append((text, each))
    assert wrong == []


def places(text: str) -> set[str]:
    return {one or other for one, other in PLACE.findall(text)}


@pytest.mark.parametrize("language", SOURCES)
def test_the_label_page_gets_the_texts_of_its_scripts(language: str, tmp_path: Path) -> None:
    folder = catalogs.compiled(texts.BASE_DIR / "locale", tmp_path)
    path = SOURCES[language].parent.relative_to(texts.BASE_DIR / "locale") / "label.json"
    sent = json.loads((folder / path).read_text())
    scripts = {
        forms(each.id)[0]
        for each in FOUND
        if any(catalogs.LABEL_PAGE in place for place, _ in each.locations)
    }
    assert set(sent) == scripts


def test_plural_forms_have_the_names_that_browsers_give_them() -> None:
    assert catalogs.plural_names(Catalog(locale="de")) == {"one": 0, "other": 1}
    assert catalogs.plural_names(Catalog(locale="ko")) == {"other": 0}
    assert catalogs.plural_names(Catalog(locale="pl")) == {"one": 0, "few": 1, "many": 2}


def test_new_texts_are_compiled_anew(tmp_path: Path) -> None:
    source = tmp_path / "locale" / "de" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text('msgid "Yes"\nmsgstr "Ja"\n')
    first = catalogs.compiled(tmp_path / "locale", tmp_path / "made")
    assert catalogs.compiled(tmp_path / "locale", tmp_path / "made") == first
    source.write_text('msgid "Yes"\nmsgstr "Jawohl"\n')
    second = catalogs.compiled(tmp_path / "locale", tmp_path / "made")
    assert second != first
    assert b"Jawohl" in (second / "de/LC_MESSAGES/django.mo").read_bytes()


def test_scripts_ask_only_for_texts_that_can_be_collected() -> None:
    asked = (
        't("One {x}", { x: t("two") }); tn(a.b(c), "three",\n "{count} fours"); start(1); // t(five)\nx.t(6)'
    )
    script = asked.replace("// t(five)", "\n// t(five)")
    assert [text for text, _ in texts.of_script(script)] == ["One {x}", "two", ("three", "{count} fours")]
    with pytest.raises(texts.NoLiteral):
        list(texts.of_script("t(name)"))
