"""Invitations, roles and leaving."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import queue, workforce
from labeling.models import Annotation, Invitation, Membership, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_link_makes_one_person_a_member_once(project, manager, outsider, admin) -> None:
    invitation = workforce.invite(project, manager, "reviewer")
    assert workforce.accept(workforce.find(invitation.token), outsider).role == "reviewer"
    assert workforce.find(invitation.token) is None
    with pytest.raises(workforce.WorkforceRefused, match="used, revoked or has expired"):
        workforce.accept(invitation, admin)


def test_a_link_for_an_address_is_for_nobody_else(project, manager, outsider) -> None:
    invitation = workforce.invite(project, manager, "labeler", "Someone@Example.com")
    with pytest.raises(workforce.WorkforceRefused, match=r"for someone@example\.com"):
        workforce.accept(invitation, outsider)
    assert not Membership.objects.filter(user=outsider).exists()


def test_expired_and_revoked_links_open_nothing(project, manager) -> None:
    late = workforce.invite(project, manager, "labeler")
    Invitation.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked = workforce.invite(project, manager, "labeler")
    workforce.revoke(revoked, manager)
    assert workforce.find(late.token) is workforce.find(revoked.token) is workforce.find("nonsense") is None


def test_accepting_never_lowers_or_raises_a_role(project, manager, labeler) -> None:
    invitation = workforce.invite(project, manager, "manager")
    assert workforce.accept(invitation, labeler).role == "labeler"


def test_leaving_gives_work_back_and_keeps_what_was_done(project, manager, labeler, items) -> None:
    factories.answer(project, labeler)
    queue.claim(project, labeler, 9)
    workforce.remove(Membership.objects.get(project=project, user=labeler), manager)
    assert Annotation.objects.filter(labeler=labeler).count() == 1
    assert not QueueEntry.objects.filter(open_slots=0).exists()


def test_the_last_manager_stays(project, manager, reviewer) -> None:
    mine = Membership.objects.get(project=project, user=manager)
    with pytest.raises(workforce.WorkforceRefused, match="needs a manager"):
        workforce.change_role(mine, "labeler", manager)
    workforce.change_role(Membership.objects.get(project=project, user=reviewer), "manager", manager)
    workforce.remove(mine, manager)
    assert not Membership.objects.filter(pk=mine.pk).exists()
