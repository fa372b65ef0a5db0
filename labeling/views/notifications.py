"""What somebody is told: the bell, the list, their choices; and for site admins the mail that got stuck."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labeling import announcing, mailing, notifications, permissions
from labeling.forms import NotificationsForm
from labeling.views import SignedIn


def listed(request: SignedIn) -> HttpResponse:
    before = notifications.moment(request.GET.get("before", ""))
    found, older = notifications.page(request.user, before)
    context = {
        "rows": [(each, said) for each in found if (said := announcing.sentence(each))],
        "older": older and older.isoformat(),
        "unread": notifications.unread(request.user),
        "is_newest": before is None,
    }
    return render(request, "notifications/list.html", context)


def bell(request: SignedIn) -> HttpResponse:
    """Return the bell alone, for polling."""
    return render(request, "partials/bell.html")


def opened(request: SignedIn, notification_id: int) -> HttpResponse:
    """Go to the page that a notification is about; it counts as read from now on."""
    found = notifications.visible(request.user).filter(pk=notification_id).first()
    if found is None or announcing.kind_of(found.kind) is None:
        raise Http404
    notifications.mark_read(request.user, found.pk)
    return redirect(announcing.address(found))


@require_POST
def read(request: SignedIn, notification_id: int) -> HttpResponse:
    if not notifications.visible(request.user).filter(pk=notification_id).exists():
        raise Http404
    notifications.mark_read(request.user, notification_id)
    return redirect("notifications")


@require_POST
def read_all(request: SignedIn) -> HttpResponse:
    notifications.mark_read(request.user)
    return redirect("notifications")


@require_POST
def choose(request: SignedIn) -> HttpResponse:
    """Keep how somebody wants to be told of what."""
    form = NotificationsForm(request.POST, user=request.user)
    if form.is_valid():
        notifications.choose(request.user, form.cleaned_data)
        messages.success(request, _("Saved."))
    return redirect("profile")


def site_mail(request: SignedIn) -> HttpResponse:
    permissions.site_admin_or_404(request.user)
    context = {"letters": mailing.troubled()[:200], "waiting": mailing.due().count()}
    return render(request, "notifications/mail.html", context)


@require_POST
def site_mail_again(request: SignedIn) -> HttpResponse:
    permissions.site_admin_or_404(request.user)
    count = mailing.try_again()
    messages.success(request, f"{count} letter{'' if count == 1 else 's'} will be tried again in a moment.")
    return redirect("site-mail")
