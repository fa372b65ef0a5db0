"""Request bodies."""

from typing import Any

from rest_framework import exceptions, parsers


class JSONParser(parsers.JSONParser):
    """JSON; a body that is nested too deeply for Python is the caller's mistake."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise exceptions.ParseError("The JSON is nested too deeply.") from error


class MultiPartParser(parsers.MultiPartParser):
    """Forms with files; a text that is not in the encoding that it names is the caller's mistake."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except UnicodeError as error:
            raise exceptions.ParseError("The form is not in the encoding that it names.") from error
