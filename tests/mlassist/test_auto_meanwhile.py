"""What people change between an auto-label test and the end of its run, and how it ends."""

import numpy as np
import pytest
from django.core import mail
from django.http import QueryDict
from django.utils import timezone, translation

from labeling import announcing, mailing, merging, notifications, running
from labeling.models import Claim, Item, Letter, Project, QueueEntry, Suggestion
from mlassist import versions
from mlassist.autolabel import examples, outside, proposing, sentences, shapes, trials, views
from mlassist.pool import load_head
from tests import factories
from tests.mlassist.eyes import featurize, open_eyes
from tests.mlassist.playing import give, play, pool
from tests.mlassist.test_auto_label import all_at, shown, tried

__all__ = ["pool", "shown"]  # fixtures


@pytest.fixture
def made(shown, manager, monkeypatch):
    """A run that is about to begin, in chunks of a hundred."""
    monkeypatch.setattr(proposing, "MOST_AT_ONCE", 100)
    monkeypatch.setattr(running, "SECONDS_BETWEEN_WRITES", 0)
    return proposing.start(tried(shown, manager), manager, all_at(shown, 0.3), 350)


def after_a_chunk(monkeypatch, change) -> None:
    """Have something happen once the first chunk is written."""
    written = proposing.write
    done: list[None] = []

    def write(*given) -> None:
        written(*given)
        if not done:
            done.append(None)
            change()

    monkeypatch.setattr(proposing, "write", write)


def told(user) -> list[str]:
    found, _ = notifications.page(user)
    said = [announcing.kind_of(each.kind).say(each.data, each.count) for each in found]
    return [each for each in said if each.startswith("Auto label")]


def test_it_stops_at_once_keeps_what_it_has_proposed_and_goes_on_when_asked(
    made, manager, monkeypatch
) -> None:
    notifications.choose(manager, {"auto_label_done": announcing.Choice.MAIL})
    after_a_chunk(monkeypatch, lambda: proposing.stop(made, manager))
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert made.job.state == "cancelled"
    assert made.done == 100
    assert Suggestion.objects.filter(project=made.project).count() == made.proposed > 0
    assert told(manager) == []
    proposing.resume(made, manager)
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert (made.job.state, made.done) == ("done", 350)
    assert Suggestion.objects.filter(project=made.project).count() == made.proposed
    said = f"Auto label is done: Label by example proposes labels for {made.proposed} of 350 images."
    assert told(manager) == [said]
    mail.outbox.clear()
    Letter.objects.filter(state="open").update(due_at=timezone.now())
    mailing.look()
    factories.run_jobs("quick")
    assert any(said in each.body and "/auto-label/" in each.body for each in mail.outbox)


def test_it_ends_when_the_models_help_is_switched_off_and_says_so_to_each_in_their_language(
    made, manager, monkeypatch
) -> None:
    mine = Project.objects.filter(pk=made.project_id)
    after_a_chunk(monkeypatch, lambda: mine.update(assist_mode="off"))
    with pytest.raises(AssertionError):
        factories.run_jobs("ml")
    made.refresh_from_db()
    assert (made.job.state, made.done) == ("failed", 100)
    assert told(manager) == [f"Auto label failed: {sentences.SWITCHED_OFF}"]
    with translation.override("de"):
        assert shapes.labeling_shape(made)["error"] == translation.gettext(sentences.SWITCHED_OFF)
        assert shapes.labeling_shape(made)["error"] != sentences.SWITCHED_OFF
    with pytest.raises(examples.AutoLabelRefused, match="switched off"):
        proposing.resume(made, manager)
    mine.update(assist_mode="suggest")
    proposing.resume(made, manager)
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert (made.job.state, made.done) == ("done", 350)


def test_after_a_merge_neither_a_test_nor_a_run_from_before_goes_on(made, manager, monkeypatch) -> None:
    circle, square = (made.project.classes.get(name=name) for name in ("circle", "square"))
    after_a_chunk(monkeypatch, lambda: merging.merge(circle, square, manager))
    with pytest.raises(AssertionError, match="Classes have changed"):
        factories.run_jobs("ml")
    made.refresh_from_db()
    assert (made.job.state, made.done) == ("failed", 100)
    with pytest.raises(examples.AutoLabelRefused, match="Classes have changed since the test"):
        proposing.start(made.trial, manager, all_at(made.project, 0.5))
    with pytest.raises(examples.AutoLabelRefused, match="Classes have changed since it began"):
        proposing.resume(made, manager)


def test_images_that_go_or_are_taken_up_meanwhile_are_left_alone(made, labeler, monkeypatch) -> None:
    waiting = trials.waiting_in(made.project, None)
    gone = list(waiting[150:160])
    held = waiting[170:171].get()

    def change() -> None:
        Item.objects.filter(pk__in=[each.pk for each in gone]).update(state="removed")
        QueueEntry.objects.filter(item=held).update(open_slots=0)

    after_a_chunk(monkeypatch, change)
    before = QueueEntry.objects.values_list("kind", "priority").get(item=held)
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert (made.job.state, made.done) == ("done", 350)
    assert not Suggestion.objects.filter(item__in=[*gone, held]).exists()
    assert QueueEntry.objects.values_list("kind", "priority").get(item=held) == before
    assert not Claim.objects.filter(item=held).exists()


def test_the_projects_own_model_says_on_the_page_what_it_says_in_the_loop(
    shown, manager, labeler, browse_as
) -> None:
    give(shown, labeler, 60, "manual")
    assert play(shown) == "round"
    newest = versions.newest(shown)
    assert newest is not None
    page = browse_as(manager, shown)
    assert f"Model {newest.number} of this project" in page
    by_loop = dict(Suggestion.objects.filter(project=shown).values_list("item_id", "top_class_id"))
    trial = trials.start(shown, manager, f"version/{newest.number}")
    factories.run_jobs("ml")
    trial.refresh_from_db()
    found = {each.item_id: each.found[0]["class"] for each in trial.images.all()}
    assert found
    assert found == {item: by_loop[item] for item in found}
    before = load_head(newest).to_bytes()
    made = proposing.start(trial, manager, all_at(shown, 0.05))
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert made.model_version == newest
    assert made.proposed == made.total
    assert load_head(newest).to_bytes() == before
    with pytest.raises(examples.AutoLabelRefused, match="next training"):
        proposing.take_back(made, manager)


@pytest.fixture
def browse_as(client):
    def text(user, project) -> str:
        client.force_login(user)
        return client.get(f"/projects/{project.pk}/auto-label/").content.decode()

    return text


@pytest.mark.django_db
def test_images_that_came_after_the_test_are_looked_at_too(manager, monkeypatch) -> None:
    pytest.importorskip("torch")
    open_eyes(monkeypatch)
    project = factories.make_project(manager=manager)
    factories.make_items(project, 24)
    featurize(project)
    for label in project.classes.all():
        of_it = examples.presentable(project).filter(path__startswith=f"{label.name}/")
        examples.add(label, of_it[0], None, manager)
    trial = tried(project, manager)
    factories.make_items(project, 12, size=40)
    waiting = trials.waiting_in(project, None).count()
    made = proposing.start(trial, manager, all_at(project, 0.0))
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert made.done == made.proposed == waiting


@pytest.mark.django_db
def test_what_a_program_sends_counts_once_and_is_no_test_of_the_page(project, items, manager) -> None:
    made = outside.begin(project, manager, "mine", {}, {})
    some = list(trials.waiting_in(project, None)[:3])
    label = project.classes.first()
    found = {each.pk: [{"class": label.pk, "confidence": 0.9}] for each in some}
    for _ in range(2):
        assert set(outside.take(made, found).values()) == {"taken"}
    made.refresh_from_db()
    assert (made.total, made.done, made.proposed) == (3, 3, 3)
    assert shapes.labeling_shape(made)["state"] == "outside"
    assert trials.newest(project) is None
    proposing.take_back(made, manager)
    with pytest.raises(examples.AutoLabelRefused, match="Begin anew"):
        outside.take(made, found)


@pytest.mark.django_db
def test_images_whose_faces_are_yet_to_be_hidden_are_neither_shown_nor_looked_at(project, items) -> None:
    there = examples.presentable(project).count()
    Project.objects.filter(pk=project.pk).update(faces="blur", originals="keep")
    project.refresh_from_db()
    assert examples.presentable(project).count() == 0 < there


@pytest.mark.parametrize("value", ["nan", "inf", "-0.5", "1e9", "1.5", "", "0.5 ", "٠.٥", "1" * 400])
def test_thresholds_that_make_no_sense_choose_no_class(value) -> None:
    given = QueryDict(mutable=True)
    given.update({"t7": value, "t8": "0.25", "t9": "1.00", "x": "0.5"})
    assert views.thresholds_of(given) == {8: 0.25, 9: 1.0}


def test_errors_with_names_in_them_are_said_in_other_languages() -> None:
    error = "Traceback …\n" + sentences.CANNOT_BE_READ % {"name": "clip", "reason": "no config.json"}
    with translation.override("de"):
        said = sentences.said(error)
        assert "3" in sentences.said(sentences.DIED % {"times": 3}) != sentences.DIED % {"times": 3}
    assert "clip" in said
    assert "no config.json" in said
    assert said not in error
    assert sentences.said("RuntimeError: out of memory") == "RuntimeError: out of memory"


def test_confidence_of_boxes_follows_what_people_drew() -> None:
    from mlassist.autolabel import calibration

    rng = np.random.default_rng(0)
    told = rng.uniform(0.05, 0.99, 400)
    right = rng.random(400) < told / 3  # three times too sure
    found = calibration.lines([7] * 390 + [8] * 10, told, right, [7, 8, 9])
    after = found[7].at(told)
    assert abs(after.mean() - right.mean()) < 0.03
    assert (np.diff(after[np.argsort(told)]) >= 0).all()
    assert found[8] == found[9]  # too few of their own: as all together
    assert calibration.lines([7] * 5, told[:5], right[:5], [7])[7] == calibration.UNCHANGED


def test_what_waits_under_a_certificate_is_left_to_it(shown, manager) -> None:
    trial = tried(shown, manager)
    some = list(trials.waiting_in(shown, None)[:5].values_list("pk", flat=True))
    QueueEntry.objects.filter(item__in=some).update(kind="prelabeled", certificate=1, group=1)
    proposing.start(trial, manager, all_at(shown, 0.05))
    factories.run_jobs("ml")
    assert not Suggestion.objects.filter(item__in=some).exists()
    left = QueueEntry.objects.filter(item__in=some)
    assert set(left.values_list("kind", "certificate")) == {("prelabeled", 1)}


@pytest.mark.django_db
def test_a_program_is_told_when_it_sends_too_much_at_once(project, items, manager, api) -> None:
    made = outside.begin(project, manager, "mine", {}, {})
    at = f"/api/projects/{project.pk}/auto-label/runs/{made.pk}/suggestions/"
    regions = [{"class": 1, "confidence": 0.5}] * (outside.MOST_TOGETHER // 2 + 1)
    sent = {"suggestions": [{"item": each.pk, "regions": regions} for each in items[:2]]}
    answer = api(manager).post(at, sent, format="json")
    assert answer.status_code == 400
    assert "at once at most" in answer.json()["error"]["message"]
