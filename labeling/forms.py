"""Forms of the pages."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.contrib.auth.password_validation import validate_password
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling import announcing, notifications, permissions, splitting
from labeling.models import ApiToken, LabelClass, Notification, Project, User
from labeling.projects import CLASSES_TARGET, SHAPES_TARGET
from labeling.workforce import ADDRESS_TAKEN, TOO_LATE

RIGHT, AGREEING = "At least this share right (%)", "At least this much agreement (%)"
LONGEST_EMAIL = 254  # RFC 5321, and the column


def percent_right(error: float) -> int:
    return round(100 * (1 - error))


class SignInForm(AuthenticationForm):
    """Sign in by e-mail and password."""

    error_messages = {
        "invalid_login": _(
            "This e-mail address and password do not belong together. Check both and try again."
        ),
        "inactive": _("This account is switched off. Ask a manager."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail address")
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autofocus": True, "autocomplete": "username"}
        )
        self.fields["password"].label = _("Password")

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        until = getattr(user, "temporary_until", None)
        if until is not None and until <= timezone.now():
            raise forms.ValidationError(TOO_LATE, code="expired")


class WebhookForm(forms.Form):
    """Where a webhook leads, and what it gets."""

    url = forms.CharField(
        max_length=2_000,
        label="Address",
        widget=forms.URLInput(
            attrs={"placeholder": "https://…", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    kinds = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        label="What it is told",
        error_messages={"required": "Choose at least one."},
    )
    is_on = forms.BooleanField(required=False, label="On")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Titles stay lazy: the page is in another language than the view.
        titles: list[Any] = [(name, kind.title) for name, kind in announcing.kinds().items()]
        self.fields["kinds"].choices = titles  # type: ignore[attr-defined]


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "theme", "language"]
        widgets: ClassVar[dict[str, Any]] = {"theme": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs.update(autocomplete="name")
        self.fields["name"].label = _("Name")
        self.fields["theme"].label = _("Light or dark")
        self.fields["language"].label = _("Language")
        self.fields["language"].choices = [("", _("As the browser")), *settings.LANGUAGES]  # type: ignore[attr-defined]


class JoinForm(forms.Form):
    """Makes an account for somebody who was invited."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=LONGEST_EMAIL,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Choose a password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 8 characters, not a common word, not only digits."),
    )

    def __init__(self, *args: Any, fixed_email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed_email:
            self.fields["email"].initial = fixed_email
            self.fields["email"].disabled = True

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(ADDRESS_TAKEN)
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password"):
            try:
                validate_password(cleaned["password"], User(email=cleaned.get("email", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class FirstPasswordForm(SetPasswordForm):
    """A password of one's own in place of a temporary one, which it may not be again."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ("name", "new_password1", "new_password2")

    def clean_new_password1(self) -> str:
        password = str(self.cleaned_data["new_password1"])
        if self.user.check_password(password):
            raise forms.ValidationError(_("This is the temporary password. Choose another one."))
        return password


class NotificationsForm(forms.Form):
    """How somebody wants to be told of each kind that can concern them."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = notifications.choices_of(user)
        for name, kind in announcing.kinds_for(user).items():
            choices = Notification.Choice.choices
            initial = chosen.get(name, kind.usual)
            self.fields[name] = forms.ChoiceField(choices=choices, label=str(kind.title), initial=initial)


TOKEN_DAYS = [
    (30, _("for 30 days")),
    (90, _("for 90 days")),
    (365, _("for a year")),
    ("", _("until it is revoked")),
]


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=80,
        required=False,
        label=_("What the token is for"),
        widget=forms.TextInput(
            attrs={
                "class": "grow",
                "id": "token-name",
                "placeholder": _("What it is for, e.g. import script"),
                "autocomplete": "off",
            }
        ),
    )
    project = forms.ModelChoiceField(
        Project.objects.none(), required=False, label=_("Project"), empty_label=_("all of my projects")
    )
    scope = forms.ChoiceField(choices=ApiToken.Scope.choices, required=False, label=_("For"))
    days = forms.TypedChoiceField(
        choices=TOKEN_DAYS, initial=90, coerce=int, empty_value=None, required=False, label=_("Valid")
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = permissions.visible_projects(user).order_by("name")
        self.fields["project"].queryset = mine  # type: ignore[attr-defined]

    def limits(self) -> dict[str, Any]:
        """Return what the token is limited to, as accounts.issue_token takes it."""
        given = self.cleaned_data
        return {
            "project": given["project"],
            "scope": given["scope"] or ApiToken.Scope.ALL,
            "days": given["days"],
        }


class NumberField(forms.FloatField):
    """A number that is shown without needless digits: 95 rather than 95.0."""

    def prepare_value(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value


class ProjectForm(forms.Form):
    """The new project, with a default for everything but its name and classes."""

    name = forms.CharField(max_length=120, label="Name")
    task_type = forms.ChoiceField(
        choices=Project.TaskType.choices, initial=Project.TaskType.MULTICLASS, widget=forms.RadioSelect
    )
    classes = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        label="Classes",
        help_text="One a line. The first ten get the digits 1 to 9 and 0. A colon starts a description, "
        "spaces before a name make it a kind of the class above.",
    )
    instructions = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 10}),
        required=False,
        label="Instructions",
        help_text="What labelers read first: what counts, what does not, what to do when in doubt.",
    )
    assist_mode = forms.ChoiceField(
        choices=Project.AssistMode.choices, initial=Project.AssistMode.SUGGEST, widget=forms.RadioSelect
    )
    promise = forms.ChoiceField(
        choices=Project.Promise.choices, initial=Project.Promise.EACH_LABEL, widget=forms.RadioSelect
    )
    target = NumberField(
        initial=percent_right(CLASSES_TARGET),
        min_value=51,
        max_value=99.9,
        label=RIGHT,
        widget=forms.NumberInput(
            attrs={
                "data-classes-start": percent_right(CLASSES_TARGET),
                "data-shapes-start": percent_right(SHAPES_TARGET),
                "data-shapes-label": AGREEING,
            }
        ),
    )
    confidence = NumberField(initial=95, min_value=50, max_value=99.9, label="How sure we must be of it (%)")

    def clean_classes(self) -> list[dict[str, str]]:
        return parse_classes(self.cleaned_data["classes"])

    def clean_target(self) -> float:
        return round(1 - self.cleaned_data["target"] / 100, 6)

    def clean_confidence(self) -> float:
        return round(float(self.cleaned_data["confidence"]) / 100, 6)


def parse_classes(text: str) -> list[dict[str, str]]:
    """Read classes, one a line: a name, or a name, a colon and a description.

    A line that is indented further than one before it belongs to that class.
    """
    classes = []
    above: list[tuple[int, str]] = []  # the indent and name of each level down to the last line
    for line in text.expandtabs(4).splitlines():
        name, _, description = line.strip().partition(":")
        if not name.strip():
            continue
        indent = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        parent = above[-1][1] if above else ""
        classes.append({"name": name.strip(), "description": description.strip(), "parent": parent})
        above.append((indent, name.strip()))
    if not classes:
        raise forms.ValidationError("Write at least one class.")
    return classes


class SettingsForm(forms.Form):
    name = forms.CharField(max_length=120, label="Name")
    assist_mode = forms.ChoiceField(choices=Project.AssistMode.choices, widget=forms.RadioSelect)
    promise = forms.ChoiceField(choices=Project.Promise.choices, widget=forms.RadioSelect)
    target = NumberField(min_value=51, max_value=99.9, label=RIGHT)
    confidence = NumberField(min_value=50, max_value=99.9, label="How sure we must be of it (%)")
    hidden_share = NumberField(min_value=0, max_value=20, label="Proposals to hide (%)")
    hourly_cost = NumberField(
        min_value=0.01, max_value=1_000_000, required=False, label="Cost of a labeler’s hour (optional)"
    )
    currency = forms.CharField(max_length=8, required=False, label="Currency")

    clean_target = ProjectForm.clean_target
    clean_confidence = ProjectForm.clean_confidence

    def clean_hidden_share(self) -> float:
        return round(self.cleaned_data["hidden_share"] / 100, 5)

    def __init__(self, *args: Any, draws_shapes: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if draws_shapes:
            self.fields["target"].label = AGREEING


class DeleteForm(forms.Form):
    """The name of a project, typed by somebody who wants it deleted."""

    prefix = "delete"
    name = forms.CharField(
        label="Type its name to delete it",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class QualityForm(forms.Form):
    """How many people answer an image, when they agree, and what known images do; shares in percent."""

    labels_per_item = forms.IntegerField(
        min_value=1, max_value=9, label="People for each image, at the least"
    )
    most_labels_per_item = forms.IntegerField(
        min_value=1,
        max_value=9,
        label="At the most, while they do not agree",
        help_text="After that a reviewer decides.",
    )
    agreement_share = NumberField(
        min_value=50,
        max_value=100,
        label="Answers that must agree (%)",
        help_text="Always more than half of them.",
    )
    agreement_match = NumberField(min_value=1, max_value=100, label="How alike two answers must be (%)")
    agreement_overlap = NumberField(
        min_value=5,
        max_value=100,
        label="Overlap of the same object (%)",
        help_text="Shared area in all that both cover.",
    )
    second_labels = forms.BooleanField(required=False, label="A second label where it pays")
    gold_rule = forms.ChoiceField(choices=Project.GoldRule.choices, widget=forms.RadioSelect)
    gold_feedback = forms.BooleanField(required=False, label="Tell them at once what was right")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        rule = project.agreement_rule
        kwargs["initial"] = {
            "labels_per_item": project.labels_per_item,
            "most_labels_per_item": project.most_labels,
            "agreement_share": round(100 * rule.share, 2),
            "agreement_match": round(100 * rule.match, 2),
            "agreement_overlap": round(100 * rule.overlap, 2),
            "second_labels": project.second_labels,
            "gold_rule": project.gold_rule,
            "gold_feedback": project.gold_feedback,
        }
        super().__init__(*args, **kwargs)
        if project.task_type == Project.TaskType.MULTICLASS:
            del self.fields["agreement_match"]
        else:
            text = (
                "Shared objects, as F1."
                if project.draws_shapes
                else "Shared classes in all that either named."
            )
            self.fields["agreement_match"].help_text = text
        if project.is_classification:
            del self.fields["agreement_overlap"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        least, most = cleaned.get("labels_per_item"), cleaned.get("most_labels_per_item")
        if least and most and most < least:
            self.add_error("most_labels_per_item", "Not fewer than at the least.")
        return cleaned

    def changes(self) -> dict[str, Any]:
        """Return what was changed, as the project has it."""
        labels = {"labels_per_item", "most_labels_per_item"}
        changed = set(self.changed_data)
        found = {
            name: value
            for name, value in self.cleaned_data.items()
            if name in changed or (name in labels and labels & changed)
        }
        if found.get("most_labels_per_item") == Project.usual_most(self.cleaned_data["labels_per_item"]):
            found["most_labels_per_item"] = None
        return {
            name: round(value / 100, 4) if name.startswith("agreement_") else value
            for name, value in found.items()
        }


class InstructionsForm(forms.Form):
    text = forms.CharField(
        required=False,
        label="Instructions",
        widget=forms.Textarea(
            attrs={
                "id": "instructions-text",
                "rows": 18,
                "placeholder": "What counts, what does not, what to do when in doubt.",
                "aria-describedby": "instructions-text_helptext",
            }
        ),
    )
    link = forms.URLField(
        required=False,
        max_length=200,
        assume_scheme="https",
        label="A page elsewhere that says more (optional)",
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )


class ClassesForm(forms.Form):
    classes = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        label="Add classes",
        help_text="One a line. After a colon you may describe a class.",
    )

    clean_classes = ProjectForm.clean_classes


class AddClassesForm(ClassesForm):
    """New classes, and what becomes of the labels that are there."""

    policy = forms.ChoiceField(
        choices=splitting.POLICIES,
        widget=forms.RadioSelect,
        label="The labels that are there",
        required=False,
    )


class SplitForm(forms.Form):
    classes = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        label="New classes",
        help_text="One a line. After a colon you may describe a class.",
    )
    keep = forms.BooleanField(required=False)

    clean_classes = ProjectForm.clean_classes


class ClassForm(forms.Form):
    """One class of a project; a class may belong to any other that does not belong to it."""

    name = forms.CharField(
        max_length=120, label="Name", widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )
    hotkey = forms.CharField(
        max_length=1,
        required=False,
        label="Key",
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 2, "class": "class-key"}),
    )
    color = forms.RegexField(
        "^#[0-9a-fA-F]{6}$", label="Colour", widget=forms.TextInput(attrs={"type": "color"})
    )
    parent = forms.ModelChoiceField(
        LabelClass.objects.none(),
        required=False,
        label="Belongs to",
        empty_label="nothing, it stands at the top",
    )
    description = forms.CharField(
        max_length=2_000,
        required=False,
        label="Description",
        help_text="What it looks like, in words. A model that knows words searches by them.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, label_class: LabelClass, data: QueryDict | None = None) -> None:
        fields = ("name", "hotkey", "color", "parent", "description")
        initial = {name: getattr(label_class, name) for name in fields}
        super().__init__(data, initial=initial)
        others = label_class.project.classes.filter(retired_at=None).exclude(pk=label_class.pk)
        self.fields["parent"].queryset = others  # type: ignore[attr-defined]
