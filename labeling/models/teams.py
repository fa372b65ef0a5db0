"""Teams that work in several projects, and which of them works where."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from labeling.models.projects import Membership, Project


class Team(models.Model):
    """People who get work together. A vendor's are of another company, and see only what they were given."""

    name = models.CharField(max_length=120)
    is_vendor = models.BooleanField(default=False)
    organisation = models.CharField(max_length=120, blank=True, help_text="the company, of a vendor")
    contact = models.CharField(max_length=200, blank=True, help_text="whom to write or call there")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("name"), name="team_name_once"),
            models.CheckConstraint(
                condition=models.Q(is_vendor=True) | models.Q(organisation="", contact=""),
                name="team_company_is_a_vendors",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    """A person in a team. Who has left stays known, and can come back."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="people")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="teams")
    is_lead = models.BooleanField(default=False, help_text="invites people into the team, and lets them go")
    joined_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="team_member_once")]


class ProjectTeam(models.Model):
    """A team's work in a project: all its people have that role there, also those who join later."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="teams")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="projects")
    role = models.CharField(max_length=8, choices=Membership.Role.choices)
    is_vendor = models.BooleanField(default=False, help_text="as the team, for the rule of one a project")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "team"], name="project_team_once"),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(is_vendor=True), name="project_vendor_once"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=("labeler", "reviewer")), name="project_team_role"
            ),
        ]
