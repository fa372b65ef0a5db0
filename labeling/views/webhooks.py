"""A project's webhooks: adding and changing them, and what was sent."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from labeling import announcing, permissions, webhooks
from labeling.api.shapes import whole_number
from labeling.forms import WebhookForm
from labeling.models import Project, Webhook
from labeling.views import SignedIn

PAGE = 50


def webhook_or_404(request: SignedIn, project_id: int, webhook_id: int) -> tuple[Project, Webhook]:
    project = permissions.project_or_404(request.user, project_id, "manage")
    webhook = project.webhooks.select_related("project").filter(pk=webhook_id).first()
    if webhook is None:
        raise Http404
    return project, webhook


def webhooks_page(request: SignedIn, project_id: int) -> HttpResponse:
    """List the webhooks; a POST adds one, and shows its secret once, in the reply itself."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = WebhookForm(request.POST or None, initial={"kinds": list(announcing.kinds())})
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        try:
            made = webhooks.make(project, request.user, form.cleaned_data["url"], form.cleaned_data["kinds"])
        except webhooks.WebhookRefused as error:
            form.add_error("url", str(error))
        else:
            context = {"secret": webhooks.secret_of(made), "made": made}
            form = WebhookForm(initial={"kinds": list(announcing.kinds())})
    rows = [(each, each.deliveries.order_by("-id").first()) for each in project.webhooks.order_by("id")]
    context |= {"project": project, "form": form, "rows": rows, "all_kinds": len(announcing.kinds())}
    return render(request, "webhooks/webhooks.html", context)


def webhook_page(request: SignedIn, project_id: int, webhook_id: int) -> HttpResponse:
    """Show one webhook with what was sent to it; a POST changes it."""
    project, webhook = webhook_or_404(request, project_id, webhook_id)
    form = WebhookForm(request.POST or None, initial=initial_of(webhook))
    if request.method == "POST" and form.is_valid():
        try:
            webhooks.change(webhook, request.user, **form.cleaned_data)
        except webhooks.WebhookRefused as error:
            form.add_error("url", str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("webhook", project.pk, webhook.pk)
    return show(request, project, webhook, form=form)


def initial_of(webhook: Webhook) -> dict[str, Any]:
    return {"url": webhook.url, "kinds": webhook.kinds, "is_on": webhook.is_on}


def show(request: SignedIn, project: Project, webhook: Webhook, **context: Any) -> HttpResponse:
    context.setdefault("form", WebhookForm(initial=initial_of(webhook)))
    before = whole_number(request.GET.get("before", ""))
    context |= deliveries_of(project, webhook, before) | {"host": webhooks.host_of(webhook), "before": before}
    return render(request, "webhooks/webhook.html", context)


def deliveries_of(project: Project, webhook: Webhook, before: int | None = None) -> dict[str, Any]:
    rows = webhook.deliveries.order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE + 1])
    older = found[PAGE - 1].pk if len(found) > PAGE else None
    return {"project": project, "webhook": webhook, "deliveries": found[:PAGE], "older": older}


def webhook_live(request: SignedIn, project_id: int, webhook_id: int) -> HttpResponse:
    """Return the newest deliveries, for polling."""
    project, webhook = webhook_or_404(request, project_id, webhook_id)
    return render(request, "webhooks/_deliveries.html", deliveries_of(project, webhook))


@require_POST
def test(request: SignedIn, project_id: int, webhook_id: int) -> HttpResponse:
    project, webhook = webhook_or_404(request, project_id, webhook_id)
    webhooks.send_test(webhook, request.user)
    messages.success(request, "A test is on its way. What comes of it appears below.")
    return redirect("webhook", project.pk, webhook.pk)


@require_POST
def renew(request: SignedIn, project_id: int, webhook_id: int) -> HttpResponse:
    """Make a new secret, and show it once, in the reply itself."""
    project, webhook = webhook_or_404(request, project_id, webhook_id)
    webhooks.renew(webhook, request.user)
    return show(request, project, webhook, secret=webhooks.secret_of(webhook))


@require_POST
def delete(request: SignedIn, project_id: int, webhook_id: int) -> HttpResponse:
    project, webhook = webhook_or_404(request, project_id, webhook_id)
    webhooks.delete(webhook, request.user)
    messages.success(request, f"The webhook to {webhooks.host_of(webhook)} is deleted.")
    return redirect("webhooks", project.pk)


@require_POST
def send_again(request: SignedIn, project_id: int, webhook_id: int, delivery_id: int) -> HttpResponse:
    project, webhook = webhook_or_404(request, project_id, webhook_id)
    delivery = webhook.deliveries.filter(pk=delivery_id).first()
    if delivery is None:
        raise Http404
    webhooks.send_again(delivery)
    if delivery.kind != webhooks.TEST and not webhook.is_on:
        messages.warning(request, "It waits until the webhook is switched on.")
    else:
        messages.success(request, "It is on its way again, under the same number.")
    return redirect("webhook", project.pk, webhook.pk)
