"""The audit log in plain sentences: what each verb of an event says, and where it leads.

Other apps register the verbs that they record. Every row begins with who did it, so a verb's words are what
follows: "paused labeling".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.formats.catalog import FORMATS
from labeling.models import Project

Data = Mapping[str, Any]
Names = Mapping[int, str]  # how people are called, by id
Words = Callable[[Data, Names], str]

MACHINE, COMMAND_LINE = "Loupe", "The command line"


@dataclass(frozen=True, slots=True)
class Door:
    """A page of the project: the name of its route, and what follows the project in its address."""

    route: str
    item: int | None = None
    query: str = ""
    fragment: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is another one now; what it was before is unknown in old rows."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Verb:
    title: str  # as the log's filter names it
    words: Words
    door: Callable[[Data], Door | None]
    by_machine: bool = False  # done by Loupe itself where nobody is named


_verbs: dict[str, Verb] = {}
_settings: dict[str, Callable[[Any], list[Change]]] = {}


def verb(
    name: str,
    title: str,
    words: str | Words,
    door: Door | Callable[[Data], Door | None] | None = None,
    *,
    by_machine: bool = False,
) -> None:
    """Register what a verb says, and the page that shows what it was about."""
    _verbs[name] = Verb(
        title,
        (lambda data, names: words) if isinstance(words, str) else words,
        door if callable(door) else (lambda data: door),
        by_machine,
    )


def setting(name: str, title: str, say: Callable[[Any], str] = str) -> None:
    """Register what a setting is called and how its values are said."""

    def explain(value: Any) -> list[Change]:
        if isinstance(value, list) and len(value) == 2:
            return [Change(title, say(value[0]), say(value[1]))]
        return [Change(title, "", say(value))]

    _settings[name] = explain


def settings_of(name: str, explain: Callable[[Any], list[Change]]) -> None:
    """Register a setting that holds several things."""
    _settings[name] = explain


def title(name: str) -> str:
    return _verbs[name].title if name in _verbs else name.replace("_", " ")


def who(name: str, actor: str | None) -> str:
    """Return who did it, also where no account did."""
    if actor is not None:
        return actor
    return MACHINE if name in _verbs and _verbs[name].by_machine else COMMAND_LINE


def words(name: str, data: Data, names: Names) -> str:
    """Return what was done, as the rest of a sentence without its full stop."""
    return _verbs[name].words(data, names) if name in _verbs else f"did “{title(name)}”"


def door(name: str, data: Data) -> Door | None:
    return _verbs[name].door(data) if name in _verbs else None


def changes(data: Data) -> list[Change]:
    """Return the settings that an event of the verb `settings` changed."""
    return [
        change
        for key, value in data.items()
        for change in (_settings[key](value) if key in _settings else [Change(key, "", str(value))])
    ]


# What labeling itself records


def number(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def comment(data: Data) -> str:
    return f": “{data['comment']}”" if data.get("comment") else ""


def somebody(data: Data, names: Names) -> str:
    return names.get(data.get("user", 0), "somebody")


def settings_words(data: Data, names: Names) -> str:
    return "changed " + ("a setting" if len(data) == 1 else f"{len(data)} settings")


def imported(data: Data, names: Names) -> str:
    refused = f", {data['refused']:,} refused" if data.get("refused") else ""
    return f"imported {number(data.get('files', 0), 'file', 'files')}{refused}"


def imported_labels(data: Data, names: Names) -> str:
    if "name" not in data:
        return f"took {number(data.get('labels', 0), 'label', 'labels')} from the names of imported folders"
    if data.get("mode") == "suggestions":
        taken = number(data.get("suggestions", 0), "suggestion", "suggestions")
    else:
        taken = number(data.get("labels", 0), "label", "labels")
    return f"imported {taken} from “{data['name']}”"


def undone_labels(data: Data, names: Names) -> str:
    kept = f"; {data['kept']:,} that people had changed or reviewed stay" if data.get("kept") else ""
    return f"took back what was imported from “{data.get('name')}”{kept}"


def refreshed(data: Data, names: Names) -> str:
    said = {"new": "new", "gone": "gone", "back": "back again", "changed": "changed"}
    found = [f"{data[key]:,} {word}" for key, word in said.items() if data.get(key)]
    return f"found {', '.join(found)} in {data.get('name')}"


def reviewed(doing: str) -> Words:
    return lambda data, names: f"{doing} {number(data.get('count', 0), 'label', 'labels')}{comment(data)}"


def of_filter(doing: str) -> Words:
    return lambda data, names: f"{doing} the filter “{data.get('name')}”"


def items_door(data: Data) -> Door | None:
    items = data.get("items") or []
    return Door("item-panel", item=items[0]) if len(items) == 1 else Door("data")


def role_words(data: Data, names: Names) -> str:
    before = f"from {data['before']} to " if data.get("before") else ""
    return f"changed the role of {somebody(data, names)} {before or 'to '}{data.get('role')}"


def filter_words(filters: Data) -> str:
    """Say what a filter chooses by, "" for all."""
    said = {
        key.replace("_", " "): " or ".join(map(str, value)) if isinstance(value, list) else value
        for key, value in filters.items()
    }
    return ", ".join(f"{key} {value}" for key, value in said.items() if value)


def export_words(data: Data, names: Names) -> str:
    chosen = filter_words(data.get("filter") or {})
    labels = f"labels ({chosen})" if chosen else "all labels"
    name = str(data.get("format", ""))
    title = FORMATS[name].short if name in FORMATS else name.upper()
    how = {"copy": " with images", "link": " with links"}.get(str(data.get("images", "")), "")
    return f"exported {labels} as {title}{how}"


def invited(data: Data, names: Names) -> str:
    return f"invited {data.get('email') or 'whoever has the link'} as {data.get('role')}"


def class_words(data: Data, names: Names) -> str:
    """Return what was said where classes were changed; folders that name new ones say no more than that."""
    said = str(data.get("said") or f"Added: {', '.join(data.get('names', []))}").removesuffix(".")
    if said.startswith("Added: "):
        return f"added the classes {said.removeprefix('Added: ')}"
    return f"changed the classes: {said}"


def percent(share: float, digits: int = 4) -> str:
    return f"{round(100 * share, digits):g} %"


verb("create", "Project made", "made the project", Door("project"))
verb("start", "Labeling resumed", "resumed labeling", Door("settings"))
verb("pause", "Labeling paused", "paused labeling", Door("settings"))
verb(
    "delete",
    "Project deleted",
    lambda data, names: (
        f"deleted the project with {number(data['images'], 'image', 'images')}"
        if data.get("images")
        else "deleted the project"
    ),
)
verb("emptied", "Deleted project emptied", "removed what the deleted project held", by_machine=True)
verb("settings", "Settings changed", settings_words, Door("settings"))
verb(
    "instructions",
    "Instructions written",
    lambda data, names: f"wrote version {data.get('version')} of the instructions",
    Door("settings", fragment="instructions"),
)
verb(
    "picture",
    "Picture added to the instructions",
    lambda data, names: f"added the picture “{data.get('name')}” for the instructions",
    Door("settings", fragment="instructions"),
)
CLASS_VERBS = {
    "add_classes": "Classes added",
    "edit_class": "Class edited",
    "move_class": "Class moved",
    "retire_class": "Class retired",
    "restore_class": "Class restored",
    "merge_class": "Class merged",
    "split_class": "Class split",
    "start_over": "Labeling started over",
    "undo_class_change": "Change of classes undone",
}
for each, its_title in CLASS_VERBS.items():
    verb(each, its_title, class_words, Door("settings", fragment="classes"))
verb("invite", "Somebody invited", invited, Door("team"))
verb(
    "revoke",
    "Invitation revoked",
    lambda data, names: f"revoked the invitation of {data.get('email') or 'whoever had the link'}",
    Door("team"),
)
verb(
    "resend",
    "Invitation sent again",
    lambda data, names: f"renewed the invitation of {data.get('email') or 'whoever has the link'}",
    Door("team"),
)
verb("join", "Somebody joined", lambda data, names: f"joined as {data.get('role')}", Door("team"))
verb("role", "Role changed", role_words, Door("team"))
verb(
    "remove",
    "Member removed",
    lambda data, names: f"removed {somebody(data, names)} from the project",
    Door("team"),
)
verb(
    "deactivate",
    "Member switched off",
    lambda data, names: f"switched {somebody(data, names)} off in the project",
    Door("team"),
)
verb(
    "reactivate",
    "Member switched on",
    lambda data, names: f"switched {somebody(data, names)} on again in the project",
    Door("team"),
)
LIMITS = {"daily_limit": "images a day", "total_limit": "images in all"}


def limits_words(data: Data, names: Names) -> str:
    said = [
        f"{data[key]:,} {unit}" if data[key] is not None else f"any number of {unit}"
        for key, unit in LIMITS.items()
        if key in data
    ]
    if "only_assigned" in data:
        said.append("only what is assigned" if data["only_assigned"] else "also what is not assigned")
    return f"let {somebody(data, names)} get {', '.join(said)}"


def in_team(doing: str) -> Words:
    return lambda data, names: doing.format(team=data.get("team"), who=somebody(data, names), **role_of(data))


def role_of(data: Data) -> dict[str, Any]:
    return {"role": data.get("role"), "email": data.get("email") or "whoever has the link"}


def assigned(doing: str) -> Words:
    def say(data: Data, names: Names) -> str:
        whom = f"the team {data['team']}" if data.get("team") else somebody(data, names)
        return doing.format(count=number(data.get("count", 0), "image", "images"), whom=whom)

    return say


ASSIGNMENTS = Door("assignments")
verb("limits", "Limits changed", limits_words, Door("team"))
verb("give_team", "Team added", in_team("let the team {team} work here as {role}"), Door("team"))
verb("team_role", "Role of a team changed", in_team("made the team {team} {role}"), Door("team"))
verb("take_team", "Team taken out", in_team("took the team {team} out of the project"), Door("team"))
verb("assign", "Images assigned", assigned("assigned {count} to {whom}"), ASSIGNMENTS)
verb("reassign", "Images assigned anew", assigned("gave {count} to {whom} instead"), ASSIGNMENTS)
verb(
    "end_assignment",
    "Assignment ended",
    assigned("ended what was assigned to {whom}: {count} left for everybody"),
    ASSIGNMENTS,
)
verb("resume_assignment", "Assignment resumed", assigned("assigned {count} to {whom} again"), ASSIGNMENTS)
verb("team_made", "Team made", in_team("made the team {team}"))
verb("team_changed", "Team changed", in_team("changed what is known of the team {team}"))
verb("team_invite", "Somebody invited to a team", in_team("invited {email} to the team {team}"))
verb("team_resend", "Invitation to a team sent again", in_team("renewed the invitation of {email} to {team}"))
verb("team_revoke", "Invitation to a team revoked", in_team("revoked the invitation of {email} to {team}"))
verb("team_join", "Somebody joined a team", in_team("took {who} into the team {team}"))
verb("team_leave", "Somebody left a team", in_team("took {who} out of the team {team}"))
verb(
    "team_lead",
    "Lead of a team changed",
    lambda data, names: (
        f"made {somebody(data, names)} {'a lead' if data.get('is_lead') else 'no lead any more'}"
        f" of the team {data.get('team')}"
    ),
)
verb("account_off", "Account switched off", in_team("switched the account of {who} off"))
verb("account_on", "Account switched on", in_team("switched the account of {who} on again"))
verb("import", "Images imported", imported, Door("import"))


verb("source", "Source added", lambda data, names: f"added the source {data.get('name')}", Door("import"))
verb("source_changed", "Source changed", lambda data, names: f"changed the source {data.get('name')}",
     Door("import"))  # fmt: skip
verb("refresh", "Source looked at again", refreshed, Door("import"), by_machine=True)
verb(
    "take_back",
    "Import taken back",
    lambda data, names: (
        f"took {data.get('name')} back: {number(data.get('count', 0), 'unlabeled image', 'unlabeled images')}"
    ),
    Door("import"),
)
verb(
    "read_again",
    "Images read again",
    lambda data, names: f"had changed and damaged images of {data.get('name')} read again",
    Door("import"),
)
verb("import_labels", "Labels imported", imported_labels, Door("data", query="source=imported"))
verb("undo_import_labels", "Import of labels undone", undone_labels, Door("label-imports"))
verb("reject", "Labels rejected", reviewed("rejected"), items_door)
verb("approve", "Labels approved", reviewed("approved"), items_door)
verb(
    "undo_review",
    "Verdicts taken back",
    lambda data, names: (
        f"took back {'rejecting' if data.get('verdict') == 'reject' else 'approving'}"
        f" {number(data.get('count', 0), 'label', 'labels')}"
    ),
    items_door,
)
verb(
    "sampling_rate",
    "Share to review changed",
    lambda data, names: (
        f"has {percent(data.get('rate', 0))} of the labels of {somebody(data, names)} reviewed"
    ),
    Door("review"),
)
verb("comment", "Comment", lambda data, names: f"wrote{comment(data)}", items_door)
verb("resolve_comment", "Comment resolved", "resolved a comment", items_door)
verb("reopen_comment", "Comment reopened", "opened a comment again", items_door)
verb("save_filter", "Filter saved", of_filter("saved"), Door("data"))
verb("change_filter", "Filter changed", of_filter("changed"), Door("data"))
verb("delete_filter", "Filter deleted", of_filter("deleted"), Door("data"))
verb("decide", "Dispute decided", "decided which answer is right", items_door)


def items_of(doing: str, what: str = "known image") -> Words:
    return lambda data, names: f"{doing} {number(data.get('count', 0), what, what + 's')}"


def flagged_words(data: Data, names: Names) -> str:
    then = ", and paused them" if data.get("paused") else ""
    missed = number(data.get("misses", 0), "known image", "known images")
    return f"found that {somebody(data, names)} errs too often ({missed} missed){then}"


GOLD = Door("gold")
verb("gold_added", "Known images added", items_of("added"), GOLD)
verb("gold_removed", "Known images taken out", items_of("took out"), GOLD)
verb(
    "gold_retired",
    "Known image retired",
    lambda data, names: (
        f"retired a known image: {data.get('missed')} of {data.get('asked')} good labelers missed it"
    ),
    GOLD,
    by_machine=True,
)
verb("labeler_flagged", "Labeler errs too often", flagged_words, Door("team"), by_machine=True)
verb("labeler_paused", "Labeler paused", lambda data, names: f"paused {somebody(data, names)}", Door("team"))
verb(
    "labeler_resumed",
    "Labeler let go on",
    lambda data, names: f"let {somebody(data, names)} go on",
    Door("team"),
)
verb("export", "Labels exported", export_words, Door("exports"))
verb(
    "download",
    "Export downloaded",
    lambda data, names: f"downloaded export {data.get('export')}",
    Door("exports"),
)
WEBHOOKS = Door("webhooks")
PARTS = {"url": "its address", "kinds": "what it gets"}


def webhook_changed(data: Data, names: Names) -> str:
    changed = data.get("changed", [])
    done = [PARTS[each] for each in changed if each in PARTS]
    done += [f"switched {'on' if data.get('is_on') else 'off'}"] * ("is_on" in changed)
    return f"changed the webhook to {data.get('host')}: {', '.join(done)}"


def to_host(doing: str) -> Words:
    return lambda data, names: f"{doing} the webhook to {data.get('host')}"


verb("webhook_made", "Webhook made", to_host("made"), WEBHOOKS)
verb("webhook_changed", "Webhook changed", webhook_changed, WEBHOOKS)
verb("webhook_secret", "Webhook’s secret renewed", to_host("renewed the secret of"), WEBHOOKS)
verb("webhook_deleted", "Webhook deleted", to_host("deleted"), WEBHOOKS)
verb("account", "Account made", lambda data, names: f"made the account {data.get('email')}{admin(data)}")
verb(
    "token", "API token made", lambda data, names: f"made the API token “{data.get('name')}”{of(data, names)}"
)
verb(
    "token_revoked",
    "API token revoked",
    lambda data, names: f"revoked the API token “{data.get('name')}”{of(data, names)}",
)
verb("password", "Password changed", "changed their password")


def admin(data: Data) -> str:
    return " of a site admin" if data.get("admin") else ""


def of(data: Data, names: Names) -> str:
    return f" of {somebody(data, names)}" if data.get("user") else ""


def of_choices(choices: list[tuple[str, Any]]) -> Callable[[Any], str]:
    known = dict(choices)
    return lambda value: str(known.get(value, value))


setting("name", "Name")
setting("assist_mode", "Help from a model", of_choices(Project.AssistMode.choices))
setting("promise", "What the promise speaks of", of_choices(Project.Promise.choices))
setting("target_error", "At least this share right", lambda value: percent(1 - value))
setting("confidence", "How sure we must be of it", percent)
setting("hidden_share", "Proposals that are hidden", percent)
setting("hourly_cost", "Cost of an hour", lambda value: "none" if value is None else f"{value:g}")
setting("currency", "Currency", lambda value: value or "none")
setting("labels_per_item", "People who answer each image, at the least")
setting("most_labels_per_item", "At the most", lambda value: "as usual" if value is None else str(value))
setting("agreement_share", "Share of the answers that must agree", percent)
setting(
    "agreement_match",
    "How alike answers must be",
    lambda value: "as usual" if value is None else percent(value),
)
setting("agreement_overlap", "Overlap of the same object", percent)
setting("second_labels", "A second label where it pays", lambda value: "on" if value else "off")
setting("gold_rule", "When known images show errors", of_choices(Project.GoldRule.choices))
setting("gold_feedback", "Tell labelers at once what was right", lambda value: "on" if value else "off")
setting(
    "most_items", "Images at the most", lambda value: "as many as come" if value is None else f"{value:,}"
)
setting("assists_dicom", "Models look at DICOM images", lambda value: "on" if value else "off")
