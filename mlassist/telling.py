"""What the audit log and announcements say of models, backbones and certificates."""

from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from labeling import telling
from labeling.announcing import Choice, Kind, register
from labeling.telling import Change, Data, Door, Names, verb
from mlassist.autolabel import sentences


def certificate_door(data: Data) -> Door:
    return Door("certificate", query=f"attempt={data['attempt']}" if "attempt" in data else "")


def tried(data: Data, names: Names) -> str:
    said = {"valid": "earned a certificate", "open": "began to prove a certificate"}
    sentence = str(data.get("sentence", "")).rstrip(".")
    done = said.get(data.get("state", ""), "tried to earn a certificate, which did not hold")
    return f"{done}: {sentence}" if sentence else done


def withdrawn(data: Data, names: Names) -> str:
    back = telling.number(data.get("labels", 0), "label", "labels")
    reason = str(data.get("reason", "")).rstrip(".")
    return f"withdrew a certificate, and sent {back} back to people{': ' + reason if reason else ''}"


def withheld(value: Any) -> list[Change]:
    """Say which classes are left to people from now on, and which no longer are."""
    by_people, by_model = "people only", "people and the model"
    return [
        Change(f"“{name}” is labeled by", *((by_model, by_people) if is_left else (by_people, by_model)))
        for name, is_left in value.items()
    ]


BACKBONE = Door("models", fragment="backbone")

telling.settings_of("withheld", withheld)
verb("train", "Training asked for", "asked for a training", Door("models"))
verb("fine_tune", "Fine-tuning started", "started to fine-tune the backbone", Door("models"))
verb("fine_tune_stopped", "Fine-tuning stopped", "stopped fine-tuning", Door("models"))
verb(
    "backbone_chosen",
    "Backbone chosen",
    lambda data, names: f"chose the backbone {data.get('backbone')} in place of {data.get('instead_of')}",
    BACKBONE,
    by_machine=True,
)
verb(
    "backbone_cancelled",
    "Change of backbone ended",
    lambda data, names: f"ended the change to the backbone {data.get('backbone')}",
    BACKBONE,
    by_machine=True,
)
verb(
    "backbone_adopted",
    "Backbone changed",
    lambda data, names: (
        f"looks through {data.get('backbone')} now, no longer through {data.get('instead_of')}"
    ),
    BACKBONE,
    by_machine=True,
)
verb("certificate", "Certificate attempted", tried, certificate_door, by_machine=True)
verb("certificate_withdrawn", "Certificate withdrawn", withdrawn, certificate_door, by_machine=True)
verb(
    "certificate_notice_read",
    "Withdrawal read",
    "read that a certificate was withdrawn",
    Door("certificate"),
)


def auto_labeled(data: Data, names: Names) -> str:
    images = telling.number(data.get("images", 0), "image", "images")
    return f"let “{data.get('model')}” propose labels for {images}"


def taken_back(data: Data, names: Names) -> str:
    images = telling.number(data.get("images", 0), "image", "images")
    return f"took back what “{data.get('model')}” had proposed, for {images}"


AUTO_LABEL = Door("auto-label")
verb("auto_label", "Auto label started", auto_labeled, AUTO_LABEL)
verb(
    "auto_label_stopped",
    "Auto label stopped",
    lambda data, names: f"stopped “{data.get('model')}”, which was proposing labels",
    AUTO_LABEL,
)
verb("auto_label_taken_back", "Auto label taken back", taken_back, AUTO_LABEL)
verb(
    "example_added",
    "Example chosen",
    lambda data, names: f"chose an example of “{data.get('label_class')}”",
    AUTO_LABEL,
)
verb(
    "example_removed",
    "Example removed",
    lambda data, names: f"removed an example of “{data.get('label_class')}”",
    AUTO_LABEL,
)


CUSTOM = Door("custom-models")
verb(
    "custom_model",
    "Custom model asked for",
    lambda data, names: (
        f"asked for a custom model: {telling.number(data.get('candidates', 0), 'candidate', 'candidates')}"
    ),
    CUSTOM,
)
verb("custom_model_stopped", "Custom model stopped", "stopped making a custom model", CUSTOM)
verb(
    "model_chosen",
    "Model chosen",
    lambda data, names: f"chose “{data.get('model')}” as the project’s model",
    CUSTOM,
)
verb(
    "model_choice_ended",
    "Choice of model ended",
    "let Loupe choose again how models are made",
    CUSTOM,
)


# What is announced


def auto_label_done(data: Data, count: int) -> str:
    if data.get("error"):
        return _("Auto label failed: %(error)s") % {"error": sentences.said(data["error"])}
    said = ngettext(
        "Auto label is done: %(model)s proposes labels for %(proposed)s of %(images)s image.",
        "Auto label is done: %(model)s proposes labels for %(proposed)s of %(images)s images.",
        data["images"],
    )
    counts = {"proposed": intcomma(data["proposed"]), "images": intcomma(data["images"])}
    return said % {"model": data["model"], **counts}


def auto_label_address(project: int | None, data: Data) -> str:
    page = reverse("auto-label", args=[project])
    return f"{page}?source={data['source']}" if data.get("source") else page


def training_finished(data: Data, count: int) -> str:
    if data.get("error"):
        return _("A training failed: %(error)s") % {"error": data["error"]}
    if data.get("model") is None:
        return _("A training is finished.")
    return _("A training is finished: model %(number)s is in use.") % {"number": data["model"]}


def custom_model_finished(data: Data, count: int) -> str:
    if data.get("error"):
        return _("Making a custom model failed: %(error)s") % {"error": data["error"]}
    said = ngettext(
        "Your custom model is ready: %(count)s candidate was trained.",
        "Your custom model is ready: choose the best of %(count)s candidates by eye.",
        data["candidates"],
    )
    return said % {"count": data["candidates"]}


def custom_model_address(project: int | None, data: Data) -> str:
    return reverse("custom-model", args=[project, data["custom_model"]])


def fine_tuning_finished(data: Data, count: int) -> str:
    if data.get("error"):
        return _("Fine-tuning failed: %(error)s") % {"error": data["error"]}
    if data.get("adopted"):
        return _("Fine-tuning is finished: the tuned backbone is better, and is adopted.")
    return _("Fine-tuning is finished: the backbone stays as it is.")


def certificate_passed(data: Data, count: int) -> str:
    share = f"{100 * data['coverage']:.0f} %"
    return _("The model has earned a certificate, for %(share)s of the images.") % {"share": share}


def certificate_withdrawn(data: Data, count: int) -> str:
    said = ngettext(
        "A certificate was withdrawn; %(count)s automatic label went back to people.",
        "A certificate was withdrawn; %(count)s automatic labels went back to people.",
        data["labels"],
    )
    return said % {"count": intcomma(data["labels"])}


def certificate_address(project: int | None, data: Data) -> str:
    return f"{reverse('certificate', args=[project])}?attempt={data['attempt']}"


register(
    "training_started",
    Kind(
        gettext_lazy("A training starts"),
        lambda data, count: _("A training has started."),
        lambda project, data: reverse("models", args=[project]),
        usual=Choice.NOTHING,
    ),
)
register(
    "training_finished",
    Kind(
        gettext_lazy("A training is finished"),
        training_finished,
        lambda project, data: reverse("run", args=[project, data["run"]]),
    ),
)
register(
    "fine_tuning_started",
    Kind(
        gettext_lazy("Fine-tuning starts"),
        lambda data, count: _("Fine-tuning of the backbone has started."),
        lambda project, data: reverse("run", args=[project, data["run"]]),
        usual=Choice.NOTHING,
    ),
)
register(
    "fine_tuning_finished",
    Kind(
        gettext_lazy("Fine-tuning is finished"),
        fine_tuning_finished,
        lambda project, data: reverse("run", args=[project, data["run"]]),
    ),
)
register(
    "custom_model_started",
    Kind(
        gettext_lazy("A custom model is being made"),
        lambda data, count: _("Training of the candidates for a custom model has started."),
        custom_model_address,
        usual=Choice.MAIL,
    ),
)
register(
    "custom_model_finished",
    Kind(
        gettext_lazy("A custom model is ready"),
        custom_model_finished,
        custom_model_address,
        usual=Choice.MAIL,
    ),
)
register(
    "certificate_passed",
    Kind(gettext_lazy("The model earns a certificate"), certificate_passed, certificate_address),
)
register(
    "certificate_withdrawn",
    Kind(
        gettext_lazy("A certificate is withdrawn"),
        certificate_withdrawn,
        certificate_address,
        usual=Choice.MAIL,
    ),
)
register(
    "auto_label_done",
    Kind(gettext_lazy("Auto label is done"), auto_label_done, auto_label_address),
)
