"""Forms of where images come from: buckets, lists of addresses, data sets."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from labeling.models import DataSource, Project, Upload

UNSEEN = {"autocomplete": "off", "spellcheck": "false"}
VEILED = {**UNSEEN, "class": "veiled"}  # no password fields: browsers would offer to keep what is in them


class CredentialsForm(forms.Form):
    """What opens a bucket. Nothing of it is ever filled in again."""

    key = forms.CharField(required=False, label="Access key", widget=forms.TextInput(UNSEEN))
    secret = forms.CharField(required=False, label="Its secret", widget=forms.TextInput(VEILED))
    token = forms.CharField(required=False, label="Session token (optional)", widget=forms.TextInput(VEILED))
    account_key = forms.CharField(required=False, label="Key of the account", widget=forms.TextInput(VEILED))
    sas = forms.CharField(
        required=False, label="or a shared access signature", widget=forms.TextInput(VEILED)
    )
    service_account = forms.CharField(
        required=False,
        label="Service account, as a JSON file",
        widget=forms.Textarea({**UNSEEN, "rows": 4, "class": "mono"}),
    )


class SourceSettingsForm(CredentialsForm):
    """What can be changed of a source."""

    refresh = forms.ChoiceField(
        choices=DataSource.Refresh.choices, required=False, label="Look for new files"
    )
    signs_urls = forms.BooleanField(required=False, label="Browsers get images from the bucket itself")
    every_page = forms.BooleanField(required=False, label="Each page of a TIFF is an image of its own")

    @classmethod
    def of(cls, source: DataSource) -> "SourceSettingsForm":
        return cls(
            initial={
                "refresh": source.refresh,
                "signs_urls": source.signs_urls,
                "every_page": source.every_page,
            }
        )


class SourceForm(SourceSettingsForm):
    """A bucket, or a list of addresses: by its own address, or as it is."""

    address = forms.CharField(
        required=False,
        max_length=2_000,
        label="Address",
        widget=forms.TextInput({**UNSEEN, "class": "mono", "placeholder": "s3://bucket/folder/**"}),
        help_text="s3://, az:// or gs:// with a bucket and a pattern: /** is all below a folder, **/*.* all"
        " that has an ending, *.jpg what is called so. Or the https:// address of a list of images.",
    )
    urls = forms.CharField(
        required=False,
        label="or the addresses of the images themselves, one a line",
        widget=forms.Textarea({**UNSEEN, "rows": 3, "class": "mono", "placeholder": "https://…"}),
    )
    endpoint = forms.CharField(
        required=False,
        label="Endpoint, unless it is the usual one",
        widget=forms.TextInput({**UNSEEN, "placeholder": "https://…"}),
    )
    region = forms.CharField(
        required=False, label="Region", widget=forms.TextInput({**UNSEEN, "placeholder": "eu-central-1"})
    )
    account = forms.CharField(required=False, label="Storage account", widget=forms.TextInput(UNSEEN))

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if bool(found.get("address")) == bool(found.get("urls")):
            raise forms.ValidationError("Give an address, or a list of addresses; one of both.")
        return found


class TakingForm(forms.Form):
    """What a project takes in: how much, and whether models look at all of it."""

    prefix = "taking"
    most_items = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100_000_000,
        label="Images at the most (optional)",
        help_text="Empty for as many as come.",
    )
    assists_dicom = forms.BooleanField(required=False, label="Models look at DICOM images, too")

    @classmethod
    def of(cls, project: Project) -> "TakingForm":
        return cls(initial={"most_items": project.most_items, "assists_dicom": project.assists_dicom})


class DataSetForm(forms.Form):
    """The images that a new project begins with."""

    data_set = forms.ModelChoiceField(
        Upload.objects.none(),
        required=False,
        label="Images",
        empty_label="imported afterwards",
        help_text="All of a data set, or what is imported once the project is there.",
    )

    faces = forms.ChoiceField(
        choices=Project.Faces.choices,
        required=False,
        label="Faces",
        help_text="Once there are images, hiding cannot be undone. Originals that are sent here are kept,"
        " encrypted; the page of hidden faces changes that.",
    )

    def __init__(self, data_sets: QuerySet[Upload], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["data_set"].queryset = data_sets  # type: ignore[attr-defined]
