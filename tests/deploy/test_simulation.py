"""Simulated labelers answer over HTTP, and are as honest as they are told to be."""

import json
import random
import threading

import pytest
from django.core.management import call_command

from deploy import simulation, truth, webserver
from deploy.crowd import gather
from labeling.models import Annotation, Item, QueueEntry, User
from tests import factories


def page(kind, *items, proposed=None):
    return {"page": 1, "kind": kind, "proposed_class": proposed, "items": [{"id": item} for item in items]}


def labeler(right, error=0.0):
    return simulation.Labeler(
        None, right, [1, 2, 3], simulation.Tally(), error=error, chance=random.Random(0)
    )


def test_a_wrong_proposal_is_an_exception_and_a_right_one_is_confirmed():
    person = labeler({7: frozenset([1]), 8: frozenset([2])})
    shown = page("prelabeled", 7, 8, proposed=1)
    assert person.answer(shown, {"id": 7})["regions"] == [{"class": 1}]
    assert person.answer(shown, {"id": 8})["exception"] is True
    assert person.answer(page("clustered", 8), {"id": 8})["regions"] == [{"class": 2}]


def test_errors_come_at_their_rate_and_are_really_wrong():
    person = labeler({7: frozenset([1])}, error=0.3)
    wrong = sum(
        person.answer(page("manual", 7), {"id": 7})["regions"] != [{"class": 1}] for _ in range(2_000)
    )
    assert 500 < wrong < 700
    assert person.tally.mistakes == wrong


def test_labelers_together_give_no_more_than_wanted():
    tally = simulation.Tally(wanted=10)
    assert [tally.reserve(9), tally.reserve(9), tally.reserve(9)] == [9, 1, 0]
    tally.settle(9, 4)
    assert tally.reserve(9) == 5
    assert simulation.Labeler.fitting(5) == 4


@pytest.mark.django_db
def test_truth_from_folders_and_from_a_file(project, items, tmp_path):
    by_folder = truth.known_answers(project, "folders")
    names = dict(project.classes.values_list("id", "name"))
    assert {pk: names[next(iter(found))] for pk, found in by_folder.items()} == {
        item.pk: factories.true_class(item) for item in items
    }
    file = tmp_path / "truth.json"
    file.write_text(json.dumps({item.path: factories.true_class(item) for item in items}))
    assert truth.known_answers(project, str(file)) == by_folder
    file.write_text(json.dumps({items[0].path: "circle"}))
    with pytest.raises(truth.NoTruth, match="No answer is known"):
        truth.known_answers(project, str(file))


@pytest.mark.django_db(transaction=True)
def test_simulate_labels_a_project_over_http(live_server, items, project, monkeypatch, capsys):
    monkeypatch.setattr(webserver, "local_address", lambda port=None: live_server.url)
    call_command("simulate", project.name, truth="folders", labels=8, labelers=2)
    assert "8 answers by 2 people" in capsys.readouterr().out
    answers = Annotation.objects.filter(project=project)
    assert answers.count() == 8
    for answer in answers:
        assert answer.regions.get().label_class.name == factories.true_class(answer.item)
    assert QueueEntry.objects.filter(project=project).count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_reviewer_decides_where_simulated_people_do_not_agree(live_server, items, project):
    known, tally = truth.known_answers(project, "folders"), simulation.Tally()
    crowd = gather(project, known, tally, live_server.url, labelers=2, error=0.5, rate=None, seed=0)
    one, other = User.objects.filter(email__startswith="simulated-", memberships__role="labeler")
    names = list(project.classes.values_list("name", flat=True))
    decidable, hopeless = items[:2]
    right = factories.true_class(decidable)
    slips = [name for name in names if name not in (right, factories.true_class(hopeless))]
    for item, answers in ((decidable, (slips[0], right)), (hopeless, slips[:2])):
        for person, name in zip((one, other), answers, strict=True):
            factories.make_annotation(item, name, person)
        Item.objects.filter(pk=item.pk).update(state="needs_review")
    crowd.reviewer.decide()
    decidable.refresh_from_db()
    hopeless.refresh_from_db()
    assert (decidable.state, decidable.current_annotation.labeler) == ("labeled", other)
    assert (hopeless.state, tally.decided) == ("unlabeled", 2)


@pytest.mark.django_db(transaction=True)
def test_a_labeler_who_is_interrupted_gives_the_page_back(live_server, items, project, labeler):
    from labeling.models import ApiToken, Claim

    is_over = threading.Event()
    is_over.set()
    client = simulation.Client(live_server.url, ApiToken.issue(labeler), project.pk)
    person = simulation.Labeler(client, {}, [], simulation.Tally(), rate=0.1)
    assert person.label_page(1, is_over) == 0
    assert not Claim.objects.filter(state="live").exists()
