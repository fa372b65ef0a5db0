"""Changing the classes of a running project: the list in Settings, and a page before what needs one."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from labeling import changes, classes, merging, permissions, relabeling, reverting, reworking, splitting, uses
from labeling.api.shapes import whole_number
from labeling.forms import AddClassesForm, ClassesForm, ClassForm, SplitForm
from labeling.models import Event, LabelClass, Project
from labeling.views import SignedIn
from labeling.views.settings import class_table, settings_page


def class_or_404(request: SignedIn, project_id: int, class_id: int) -> LabelClass:
    project = permissions.project_or_404(request.user, project_id, "manage")
    label_class = get_object_or_404(project.classes, pk=class_id)
    label_class.project = project
    return label_class


def done(request: SignedIn, project: Project, event: Event | None) -> HttpResponse:
    """Show the list of classes with what was done, and how to take it back."""
    undo = reverse("class-undo", args=[project.pk, event.pk]) if event and event.verb in changes.VERBS else ""
    if request.headers.get("HX-Request"):
        context = {"project": project, "classes_form": ClassesForm(), "done": event, "undo": undo}
        return render(request, "projects/_classes.html", context | class_table(project))
    if event is not None:
        messages.success(request, event.data["said"], extra_tags=undo)
    return redirect("settings", project.pk)


@require_POST
def add(request: SignedIn, project_id: int) -> HttpResponse:
    """Add classes; where there are labels, ask first what becomes of them."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = AddClassesForm(request.POST)
    if form.is_valid():
        policy, given = form.cleaned_data["policy"], form.cleaned_data["classes"]
        images = relabeling.answered(project).count()
        if images and not policy:
            asked = AddClassesForm({**request.POST.dict(), "policy": splitting.KEEP})
            context = {"project": project, "form": asked, "given": given, "images": images}
            return render(request, "projects/classes_add.html", context)
        try:
            return done(
                request, project, splitting.add(project, given, request.user, policy or splitting.KEEP)
            )
        except classes.ProjectRefused as error:
            form.add_error("classes", str(error))
    return settings_page(request, project, classes_form=form)


def edit(request: SignedIn, project_id: int, class_id: int) -> HttpResponse:
    """Change a class in its place in the list."""
    label_class = class_or_404(request, project_id, class_id)
    form = ClassForm(label_class, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return done(
                request, label_class.project, classes.edit(label_class, request.user, **form.cleaned_data)
            )
        except classes.ProjectRefused as error:
            form.add_error(error.field if error.field in form.fields else "name", str(error))
    context: dict[str, Any] = {"editing": label_class.pk, "class_form": form}
    if request.headers.get("HX-Request"):
        context |= {"project": label_class.project, "classes_form": ClassesForm()}
        return render(request, "projects/_classes.html", context | class_table(label_class.project))
    return settings_page(request, label_class.project, **context)


@require_POST
def move(request: SignedIn, project_id: int, class_id: int) -> HttpResponse:
    label_class = class_or_404(request, project_id, class_id)
    step = -1 if request.POST.get("step") == "-1" else 1
    return done(request, label_class.project, classes.move(label_class, request.user, step))


def retire(request: SignedIn, project_id: int, class_id: int) -> HttpResponse:
    label_class = class_or_404(request, project_id, class_id)
    problem = ""
    if request.method == "POST":
        try:
            return done(request, label_class.project, classes.retire(label_class, request.user))
        except classes.ProjectRefused as error:
            problem = str(error)
    context = {"label_class": label_class, "uses": uses.of(label_class), "problem": problem}
    return render(request, "projects/class_retire.html", context | {"project": label_class.project})


def merge(request: SignedIn, project_id: int, class_id: int) -> HttpResponse:
    """Choose a class to merge another into, see what that does, and do it."""
    label_class = class_or_404(request, project_id, class_id)
    others = label_class.project.classes.filter(retired_at=None).exclude(pk=label_class.pk)
    chosen = request.POST.get("into") or request.GET.get("into") or ""
    into = others.filter(pk=whole_number(chosen) or 0).first()
    context: dict[str, Any] = {"label_class": label_class, "others": others, "into": into}
    if request.method == "POST" and into is not None:
        try:
            return done(request, label_class.project, merging.merge(label_class, into, request.user))
        except classes.ProjectRefused as error:
            context["problem"] = str(error)
    context["uses"] = uses.of(label_class)
    if into is not None:
        context["together"] = uses.of(label_class, into)
    return render(request, "projects/class_merge.html", context | {"project": label_class.project})


def split(request: SignedIn, project_id: int, class_id: int) -> HttpResponse:
    """Say which classes take the place of one, see what that does, and do it."""
    label_class = class_or_404(request, project_id, class_id)
    form = SplitForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given, keep = form.cleaned_data["classes"], form.cleaned_data["keep"]
        try:
            event = splitting.split(label_class, given, request.user, keep=keep)
            return done(request, label_class.project, event)
        except classes.ProjectRefused as error:
            form.add_error("classes", str(error))
    images = relabeling.answered(label_class.project, label_class).count()
    context = {"label_class": label_class, "form": form, "uses": uses.of(label_class), "images": images}
    return render(request, "projects/class_split.html", context | {"project": label_class.project})


@require_POST
def restore(request: SignedIn, project_id: int, class_id: int) -> HttpResponse:
    label_class = class_or_404(request, project_id, class_id)
    return done(request, label_class.project, classes.restore(label_class, request.user))


def work(request: SignedIn, project_id: int) -> HttpResponse:
    """Return how far the images have come that a change moves, for polling; posted, try again what failed."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if request.method == "POST":
        reworking.try_again(project)
    if not request.headers.get("HX-Request"):
        return redirect("settings", project.pk)
    # What somebody is writing beside it stays, so the list is not shown anew when all is done.
    context = {
        "project": project,
        "work": reworking.progress(project),
        "moved": changes.latest_that_moves_images(project),
    }
    return render(request, "projects/_class_work.html", context)


@require_POST
def undo(request: SignedIn, project_id: int, event_id: int) -> HttpResponse:
    """Take back a change of classes."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    event = get_object_or_404(changes.undoable(project), pk=event_id)
    try:
        return done(request, project, reverting.undo(event, request.user))
    except classes.ProjectRefused as error:
        messages.error(request, str(error))
        return redirect("settings", project.pk)
