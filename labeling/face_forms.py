"""Forms of the pages about hidden faces."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Project


class ProjectNamed(forms.Form):
    """The name of a project, typed before what cannot be undone."""

    name = forms.CharField(
        required=False,
        label=_("Type the project’s name"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = project.name


class FacesForm(ProjectNamed):
    """What hides faces, and what becomes of the originals."""

    style = forms.ChoiceField(
        choices=Project.Faces.choices[1:], initial=Project.Faces.MOSAIC, widget=forms.RadioSelect
    )
    originals = forms.ChoiceField(
        choices=Project.Originals.choices, initial=Project.Originals.KEEP, widget=forms.RadioSelect
    )


class DiscardForm(ProjectNamed):
    prefix = "discard"
