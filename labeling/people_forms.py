"""Forms about people: inviting, limits, teams, and what is assigned to whom."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Exists, OuterRef, QuerySet

from labeling import permissions, workforce
from labeling.assigning import Part
from labeling.models import Assignment, LabelClass, Membership, Project, ProjectTeam, Team, TeamMember, User
from labeling.models.projects import Membership as Member

MOST_IMAGES = 10_000_000
MOST_KNOWN = 100  # people to choose from by name
Role = Member.Role
NOBODY = ("", "not here")
PERSON_ROLES = (NOBODY, *Role.choices)
TEAM_ROLES = (NOBODY, *(each for each in Role.choices if each[0] != Role.MANAGER))


class InviteForm(forms.Form):
    """Whom to invite: one address, a pasted list of them, or whoever has the link."""

    role = forms.ChoiceField(choices=Role.choices, initial=Role.LABELER)
    email = forms.CharField(
        required=False,
        label="E-mail addresses (optional)",
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"}),
    )
    with_password = forms.BooleanField(required=False, label="With a temporary password instead of a link")

    def clean_email(self) -> list[str]:
        good, bad = workforce.addresses(self.cleaned_data["email"])
        if bad:
            raise forms.ValidationError(f"This is no e-mail address: {', '.join(bad[:5])}")
        if len(good) > workforce.MOST_ADDRESSES:
            raise forms.ValidationError(f"At most {workforce.MOST_ADDRESSES} addresses at once.")
        return good

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("with_password") and not cleaned.get("email") and not self.errors:
            self.add_error("email", "A temporary password is for one person: write the e-mail address.")
        return cleaned


class WorkforceForm(InviteForm):
    """Who works in a new project: teams, people whom its maker knows, and addresses; all of it optional."""

    prefix = "people"

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teams = {f"team-{each.pk}": each for each in permissions.known_teams(user).order_by("name")}
        known = permissions.known_people(user).order_by("name", "email")
        self.people = {f"person-{each.pk}": each for each in known[:MOST_KNOWN]}
        for name, team in self.teams.items():
            label = f"{team.name} (vendor)" if team.is_vendor else team.name
            self.fields[name] = forms.ChoiceField(choices=TEAM_ROLES, required=False, label=label)
        for name, person in self.people.items():
            label = f"{person.label} · {person.email}"
            self.fields[name] = forms.ChoiceField(choices=PERSON_ROLES, required=False, label=label)
        self.fields["role"].required = False

    @property
    def team_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.teams]

    @property
    def person_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.people]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        vendors = [team for team, _ in self.chosen_teams() if team.is_vendor]
        if len(vendors) > 1:
            raise forms.ValidationError("One vendor works in a project. Choose one of them.")
        return cleaned

    def chosen_teams(self) -> list[tuple[Team, str]]:
        given = self.cleaned_data
        return [(team, given[name]) for name, team in self.teams.items() if given.get(name)]

    def invitees(self) -> dict[str, str]:
        """Return the role of each address; who is chosen by name has the role chosen there."""
        given = self.cleaned_data
        found = dict.fromkeys(given["email"], given["role"] or Role.LABELER)
        chosen = {each.email: given[name] for name, each in self.people.items() if given.get(name)}
        return found | chosen


class InviteToTeamForm(InviteForm):
    role = None  # type: ignore[assignment]
    is_lead = forms.BooleanField(required=False, label="As a lead, who invites others and lets them go")


class LimitsForm(forms.ModelForm):
    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["daily_limit", "total_limit", "only_assigned"]
        labels: ClassVar[dict[str, str]] = {
            "daily_limit": "Most images a day",
            "total_limit": "Most images in all",
            "only_assigned": "Gets only what is assigned",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("daily_limit", "total_limit"):
            field = forms.IntegerField(
                min_value=1,
                max_value=MOST_IMAGES,
                required=False,
                label=self.Meta.labels[name],
                widget=forms.NumberInput(attrs={"placeholder": "no limit"}),
            )
            self.fields[name] = field


class TeamForm(forms.Form):
    name = forms.CharField(
        max_length=120, label="Name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    is_vendor = forms.BooleanField(required=False, label="A vendor’s team")
    organisation = forms.CharField(max_length=120, required=False, label="Company")
    contact = forms.CharField(max_length=200, required=False, label="Contact there")


def assignees(project: Project) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return whom something can be assigned to, as groups of choices."""
    found = [("Teams", [(f"team-{each.pk}", called(each)) for each in teams_of(project)])]
    people = User.objects.filter(
        memberships__project=project, memberships__is_active=True, is_active=True
    ).order_by("name", "email")
    found.append(("People", [(f"user-{each.pk}", f"{each.label} · {each.email}") for each in people]))
    return [group for group in found if group[1]]


def teams_of(project: Project) -> QuerySet[Team]:
    """Return the teams that work in a project, with `has_people`."""
    inside = TeamMember.objects.filter(team=OuterRef("pk"), left_at=None)
    here = ProjectTeam.objects.filter(project=project)
    return (
        Team.objects.filter(pk__in=here.values("team")).annotate(has_people=Exists(inside)).order_by("name")
    )


def called(team: Any) -> str:
    return team.name if team.has_people else f"{team.name} · has nobody in it yet"


class WhoForm(forms.Form):
    who = forms.ChoiceField(label="To")

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        self.fields["who"].choices = [("", "Choose…"), *assignees(project)]  # type: ignore[attr-defined]

    def assignee(self) -> dict[str, Any]:
        """Return the person or the team, as `assigning` takes them."""
        kind, _, pk = self.cleaned_data["who"].partition("-")
        if kind == "team":
            return {"team": Team.objects.get(pk=pk)}
        return {"labeler": User.objects.get(pk=pk)}


class AssignForm(WhoForm):
    """Which of the waiting images, and to whom."""

    by = forms.ChoiceField(
        choices=Assignment.By.choices, initial=Assignment.By.SHARE, widget=forms.RadioSelect
    )
    label_class = forms.ModelChoiceField(
        LabelClass.objects.none(), required=False, label="Proposed class", empty_label="Choose…"
    )
    listed = forms.CharField(
        required=False,
        label="Names or numbers, one a line",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    name = forms.CharField(
        required=False,
        max_length=200,
        label="Name or pattern",
        widget=forms.TextInput(attrs={"placeholder": "e.g. camera-2/*", "autocomplete": "off"}),
    )
    share = forms.FloatField(required=False, min_value=0.01, max_value=100, label="Share (%)", initial=30)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(project, *args, **kwargs)
        self.fields["label_class"].queryset = project.classes.filter(retired_at=None)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        field = {"class": "label_class", "list": "listed"}.get(cleaned.get("by", ""), cleaned.get("by", ""))
        if field and not cleaned.get(field) and field not in self.errors:
            self.add_error(field, "Say which images.")
        return cleaned

    def part(self) -> Part:
        given = self.cleaned_data
        if given["by"] == "class":
            return Part(label_class=given["label_class"])
        if given["by"] == "list":
            return Part(listed=tuple(given["listed"].splitlines()))
        return Part(name=given["name"]) if given["by"] == "name" else Part(share=given["share"] / 100)
