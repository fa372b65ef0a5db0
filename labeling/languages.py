"""The language of a request, and the texts that the Label page's scripts get with it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from labeling.sentences import Sentence


class LanguageMiddleware(LocaleMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        speak(request)


def speak(request: HttpRequest) -> None:
    """Go on in the language that the visitor has chosen, else in the one that their browser asks for."""
    chosen = getattr(request.user, "language", "")
    translation.activate(chosen or translation.get_language_from_request(request))
    request.LANGUAGE_CODE = translation.get_language()


def choices() -> list[tuple[str, str]]:
    """Return the languages by code, each with its own name. A function: a new one needs no migration."""
    return list(settings.LANGUAGES)


def said(sentence: Sentence) -> str:
    """Return a sentence in the language of this request."""
    return translation.gettext(sentence.text) % sentence.values


def reason(why: str) -> str:
    """Return why an item is asked, as it is kept with it, in the language of this request."""
    return translation.gettext(why) if why else ""


def page_texts() -> dict[str, Any]:
    """Return the Label page's texts in the language of this request, by their English."""
    return texts_of(translation.get_language() or settings.LANGUAGE_CODE)


@cache
def texts_of(language: str) -> dict[str, Any]:
    path = Path(settings.LOCALE_PATHS[0]) / translation.to_locale(language) / "LC_MESSAGES" / "label.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}
