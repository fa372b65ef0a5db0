"""Signing in, one's own profile, accepting an invitation."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labeling import accounts, languages, shortcuts, workforce
from labeling.api.shapes import whole_number
from labeling.forms import FirstPasswordForm, JoinForm, NotificationsForm, ProfileForm, SignInForm, TokenForm
from labeling.models import ApiToken, Event, Membership, User
from labeling.queue import SIZES
from labeling.templatetags.loupe import role_name
from labeling.views import SignedIn


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Say that too many wrong passwords were given, when the sign-in page was sent."""
    form = SignInForm(request)
    minutes = settings.AXES_COOLOFF_TIME.seconds // 60
    text = _("There were too many wrong passwords for this address. Try again in %(minutes)s minutes.")
    context = {"form": form, "locked": text % {"minutes": minutes}}
    return render(request, "accounts/sign_in.html", context, status=429)


class SignOut(LogoutView):
    pass


def profile(request: SignedIn) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        languages.speak(request)
        messages.success(request, _("Saved."))
        return redirect("profile")
    return profile_page(request, form=form)


def profile_page(request: SignedIn, **context: object) -> HttpResponse:
    context.setdefault("form", ProfileForm(instance=request.user))
    context.setdefault("password_form", PasswordChangeForm(request.user))
    context.setdefault(
        "token_form", TokenForm(request.user, initial={"project": request.GET.get("project"), "days": 90})
    )
    context["notifications_form"] = NotificationsForm(user=request.user, auto_id="tell-%s")
    context["has_mail"] = settings.SENDS_MAIL
    context["password_form"].fields["old_password"].widget.attrs.pop("autofocus", None)  # type: ignore[attr-defined]
    context["tokens"] = (
        ApiToken.objects.filter(user=request.user.pk).select_related("project").order_by("-id")
    )
    return render(request, "accounts/profile.html", context)


def first_password(request: SignedIn) -> HttpResponse:
    """Have the temporary password changed, before which nothing else opens."""
    if request.user.temporary_until is None:
        return redirect("projects")
    form = FirstPasswordForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workforce.settle_in(request.user, form.cleaned_data["new_password1"], form.cleaned_data["name"])
        except workforce.WorkforceRefused as error:
            form.add_error("new_password1", str(error))
        else:
            update_session_auth_hash(request, request.user)
            messages.success(request, _("Welcome. Your password is changed."))
            return redirect("projects")
    return render(request, "accounts/first_password.html", {"form": form})


@require_POST
def change_password(request: SignedIn) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST)
    if not form.is_valid():
        return profile_page(request, password_form=form)
    update_session_auth_hash(request, form.save())
    Event.record("password", None, request.user)
    messages.success(request, _("Your password is changed."))
    return redirect("profile")


@require_POST
def make_token(request: SignedIn) -> HttpResponse:
    """Show a new token's secret once, in the reply itself."""
    form = TokenForm(request.user, request.POST)
    if not form.is_valid():
        return profile_page(request, token_form=form)
    name = form.cleaned_data["name"] or _("token")
    secret = accounts.issue_token(request.user, name, request.user, **form.limits())
    return profile_page(request, secret=secret, secret_name=name)


@require_POST
def revoke_token(request: SignedIn, token_id: int) -> HttpResponse:
    if accounts.revoke_token(request.user, token_id):
        messages.success(request, _("The token is revoked: nothing that used it gets in any more."))
    return redirect("profile")


@require_POST
def remember_size(request: SignedIn) -> HttpResponse:
    """Keep how many images a labeler wants on a page."""
    size = whole_number(request.POST.get("size", ""))
    if size in SIZES:
        User.objects.filter(pk=request.user.pk).update(page_size=size)
    return HttpResponse(status=204)


@require_POST
def remember_keys(request: SignedIn) -> HttpResponse:
    """Keep the keys that somebody has changed."""
    try:
        keys, single_keys = shortcuts.read(request.body)
    except shortcuts.NoShortcuts as error:
        return JsonResponse({"error": {"code": "invalid", "message": str(error), "fields": {}}}, status=400)
    User.objects.filter(pk=request.user.pk).update(keys=keys, single_keys=single_keys)
    return JsonResponse({"keys": keys, "single_keys": single_keys})


@require_POST
def choose_language(request: SignedIn) -> HttpResponse:
    """Speak another language from now on, and go back to the page."""
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=chosen)
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    # Without the slash it would be taken for the name of a route.
    return redirect(back if is_ours and back.startswith("/") else "projects")


@login_not_required
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join a project by link: signed in at once, else with a new account."""
    found = workforce.find(token)
    if found is None:
        return render(request, "accounts/invitation_closed.html", status=404)
    form = JoinForm(request.POST or None, fixed_email=found.email)
    if request.method == "POST":
        try:
            if request.user.is_authenticated:
                return welcome(request, workforce.accept(found, request.user))
            if form.is_valid():
                user = workforce.enroll(found, **form.cleaned_data)
                login(request, user, backend="django.contrib.auth.backends.ModelBackend")
                return welcome(request, user.memberships.filter(project=found.project).first())
        except workforce.AddressTaken as error:
            form.add_error("email", str(error))
        except workforce.WorkforceRefused as error:
            messages.error(request, str(error))
    return render(request, "accounts/invitation.html", {"invitation": found, "form": form})


def welcome(request: HttpRequest, membership: Membership | None) -> HttpResponse:
    if membership is None:  # of a team, which may have any number of projects
        messages.success(request, _("Welcome. What your team works on is here."))
        return redirect("projects")
    text = _("Welcome to %(project)s. You are a %(role)s here.")
    role = role_name(membership.role)
    messages.success(request, text % {"project": membership.project.name, "role": role})
    return redirect("project", membership.project_id)
