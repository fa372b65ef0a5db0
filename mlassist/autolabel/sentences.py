"""What workers say when a model cannot be used. Jobs keep it in English; readers get it in their language."""

import re

from django.utils.translation import gettext, gettext_noop

UNREADABLE = gettext_noop("The image cannot be read.")
NO_EXAMPLES = gettext_noop("Give at least one example of each class that is to be found.")
TWO_CLASSES = gettext_noop("An image is an example of two classes, and here each image has one.")
NO_WINDOW = gettext_noop("The images are too small for boxes of this shape. Choose other examples.")
NO_TRANSFORMERS = gettext_noop("Needs transformers: pip install -r deploy/requirements-hub.txt")
SWITCHED_OFF = gettext_noop(
    "The model’s help is switched off in the settings, so nobody would see what it proposes."
)
OTHER_CLASSES = gettext_noop("Classes have changed since it began. Generate test results again.")
OTHER_BACKBONE = gettext_noop("The backbone has changed since it began. Generate test results again.")

NO_SUCH_MODEL = gettext_noop("There is no model called %(name)s for this project.")
NO_LONGER_HERE = gettext_noop("%(name)s is no longer here.")
CANNOT_BE_READ = gettext_noop("%(name)s cannot be read: %(reason)s")
DIED = gettext_noop(  # as jobs say it
    "It stopped %(times)s times before it was finished, perhaps for lack of memory. You can try it again."
)
WITH_VALUES = (NO_SUCH_MODEL, NO_LONGER_HERE, CANNOT_BE_READ, DIED)
VALUE = re.compile(r"%\((\w+)\)s")


def said(error: str) -> str:
    """Return the last line of what a job said when it failed, in the reader's language."""
    last = error.strip().rpartition("\n")[2]
    for text in WITH_VALUES:
        # The names stand at odd places of what is split by them.
        parts = VALUE.split(text)
        pattern = "".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        if found := re.fullmatch(pattern, last):
            return gettext(text) % found.groupdict()
    return gettext(last) if last else ""
