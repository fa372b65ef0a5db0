"""What labeling announces, in sentences for people. Registered when the app is ready."""

from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from labeling.announcing import Choice, Data, Kind, register
from labeling.models import Invitation
from labeling.telling import number

# How a role stands in a sentence.
ROLES = {
    "manager": gettext_lazy("manager"),
    "reviewer": gettext_lazy("reviewer"),
    "labeler": gettext_lazy("labeler"),
}


def shown(count: Any) -> str:
    return str(intcomma(count))


def import_done(data: Data, count: int) -> str:
    if data.get("error"):
        return _("The import of %(name)s failed: %(error)s") % {"name": data["name"], "error": data["error"]}
    images = ngettext("%(count)s image is imported.", "%(count)s images are imported.", data["images"])
    said = images % {"count": shown(data["images"])}
    if data.get("broken"):
        broken = ngettext("%(count)s cannot be read.", "%(count)s cannot be read.", data["broken"])
        said += " " + broken % {"count": shown(data["broken"])}
    return f"{said} {hidden_in_them(data['faces'])}" if data.get("faces") is not None else said


def hidden_in_them(faces: int) -> str:
    said = ngettext("%(count)s face is hidden in them.", "%(count)s faces are hidden in them.", faces)
    return said % {"count": shown(faces)}


def faces_hidden(data: Data, count: int) -> str:
    if data.get("error"):
        said = _("Hiding faces has stopped: %(error)s Nobody labels until it goes on.")
        return said % {"error": data["error"]}
    said = ngettext(
        "Hiding is done: %(count)s face is hidden.",
        "Hiding is done: %(count)s faces are hidden.",
        data["faces"],
    ) % {"count": shown(data["faces"])}
    if data.get("unreadable"):
        lost = ngettext(
            "%(count)s image could not be read and is shown to nobody.",
            "%(count)s images could not be read and are shown to nobody.",
            data["unreadable"],
        )
        said += " " + lost % {"count": shown(data["unreadable"])}
    return said + " " + _("Look through what was found: no detector finds every face.")


def export_done(data: Data, count: int) -> str:
    if data.get("error"):
        return _("The export failed: %(error)s") % {"error": data["error"]}
    said = ngettext(
        "The export of %(count)s image is ready.", "The export of %(count)s images is ready.", data["images"]
    )
    return said % {"count": shown(data["images"])}


def invited(data: Data, count: int) -> str:
    if data.get("team"):
        said = _("%(name)s invites you to the team %(team)s.")
        return said % {"name": data["who"], "team": data["team"]}
    said = _("%(name)s invites you to this project. Your role: %(role)s.")
    return said % {"name": data["who"], "role": ROLES.get(data["role"], data["role"])}


def joined_team(data: Data, count: int) -> str:
    said = _("%(name)s has taken you into the team %(team)s. What it works on is among your projects.")
    return said % {"name": data["who"], "team": data["team"]}


def given_team(data: Data, count: int) -> str:
    said = _("%(name)s has given your team %(team)s work in this project.")
    return said % {"name": data["who"], "team": data["team"]}


def invitation_address(project: int | None, data: Data) -> str:
    """Return the link, which is looked up: it opens what it invites to, so no other table keeps it."""
    token = Invitation.objects.filter(pk=data["invitation"]).values_list("token", flat=True).first()
    return reverse("invitation", args=[token]) if token else reverse("projects")


def assigned(data: Data, count: int) -> str:
    if data.get("team"):
        text = ngettext(
            "%(name)s has assigned %(count)s image to your team %(team)s.",
            "%(name)s has assigned %(count)s images to your team %(team)s.",
            data["count"],
        )
    else:
        text = ngettext(
            "%(name)s has assigned %(count)s image to you.",
            "%(name)s has assigned %(count)s images to you.",
            data["count"],
        )
    return text % {"name": data["who"], "count": shown(data["count"]), "team": data.get("team")}


def rejected(data: Data, count: int) -> str:
    said = ngettext(
        "One of your labels was rejected. The image is asked again.",
        "%(count)s of your labels were rejected. The images are asked again.",
        count,
    ) % {"count": shown(count)}
    if data.get("comment"):
        said += " " + _("Comment: “%(comment)s”") % {"comment": data["comment"]}
    return said


def commented(data: Data, count: int) -> str:
    said = _("%(name)s wrote about %(image)s: “%(text)s”")
    return said % {"name": data["who"], "image": data["name"], "text": data["text"]}


def finished(data: Data, count: int) -> str:
    said = ngettext(
        "Every image is done: %(count)s is labeled.",
        "Every image is done: %(count)s are labeled.",
        data["labeled"],
    )
    return said % {"count": shown(data["labeled"])}


def flagged(data: Data, count: int) -> str:
    said = _("%(name)s errs too often: %(misses)s of %(asked)s known images were missed.") % {
        "name": data["who"],
        "misses": shown(data["misses"]),
        "asked": shown(data["misses"] + data["hits"]),
    }
    return said + " " + _("Loupe has paused them.") if data.get("paused") else said


register(
    "flagged",
    Kind(
        gettext_lazy("A labeler errs too often"),
        flagged,
        lambda project, data: reverse("team", args=[project]),
        usual=Choice.MAIL,
    ),
)
register(
    "invited",
    Kind(
        gettext_lazy("An invitation"),
        invited,
        invitation_address,
        usual=Choice.MAIL,
        for_managers=False,
        report=lambda data: f"{data['who']} invites somebody as {data['role']}.",
    ),
)
register(
    "joined_team",
    Kind(
        gettext_lazy("You are taken into a team"),
        joined_team,
        lambda project, data: reverse("projects"),
        usual=Choice.MAIL,
        for_managers=False,
    ),
)
register(
    "given_team",
    Kind(
        gettext_lazy("Your team gets work in a project"),
        given_team,
        lambda project, data: reverse("label", args=[project]),
        for_managers=False,
        report=lambda data: f"{data['who']} gives the team {data['team']} work.",
    ),
)
register(
    "assigned",
    Kind(
        gettext_lazy("Images are assigned to you"),
        assigned,
        lambda project, data: reverse("label", args=[project]),
        usual=Choice.MAIL,
        for_managers=False,
        report=lambda data: f"{data['who']} assigned {number(data['count'], 'image', 'images')}.",
    ),
)
register(
    "rejected",
    Kind(
        gettext_lazy("Labels are rejected"),
        rejected,
        lambda project, data: reverse("label", args=[project]),
        for_managers=False,
        bundled=True,
        report=lambda data: f"{number(data['count'], 'label was', 'labels were')} rejected.",
    ),
)
register(
    "comment",
    Kind(
        gettext_lazy("Comments"),
        commented,
        lambda project, data: reverse("item-thread", args=[project, data["item"]]),
        for_managers=False,
        report=lambda data: f"{data['who']} wrote about {data['name']}: {data['text']}",
    ),
)
register(
    "import_done",
    Kind(
        gettext_lazy("An import is done"),
        import_done,
        lambda project, data: reverse("import", args=[project]),
    ),
)
register(
    "faces_hidden",
    Kind(
        gettext_lazy("Hiding faces is done"),
        faces_hidden,
        lambda project, data: reverse("faces", args=[project]),
        usual=Choice.MAIL,
    ),
)
register(
    "export_done",
    Kind(
        gettext_lazy("An export is done"),
        export_done,
        lambda project, data: reverse("exports", args=[project]),
        for_managers=False,
    ),
)
register(
    "finished",
    Kind(
        gettext_lazy("A project is finished"),
        finished,
        lambda project, data: reverse("project", args=[project]),
        usual=Choice.MAIL,
    ),
)
