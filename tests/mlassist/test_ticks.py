"""Multi-label projects: what the model is sure of is ticked beforehand, what it cannot tell is marked."""

import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from clustering import embeddings
from labeling import queue, submission
from labeling.api import shapes
from labeling.models import Annotation, Item, Page, Project, QueueEntry, User
from mlassist.heads import labelwise
from mlassist.ordering import PROMPTED_SHARE, is_prompted
from tests import factories
from tests.mlassist.playing import play

NAMES = ("sky", "tree", "car", "bird")
COUNT = 400


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_few_of_the_ticks_are_wrong_and_few_labels_go_unmentioned(held_out) -> None:
    probabilities = np.array([[probability] for probability, _ in held_out])
    truth = np.array([[right] for _, right in held_out])
    lower, upper = labelwise.thresholds(probabilities, truth, 0.1)
    ticks, unmentioned = probabilities >= upper, probabilities < lower
    assert lower <= 0.5 <= upper
    assert (~truth)[ticks].sum() <= 0.1 * ticks.sum()
    assert truth[unmentioned].sum() <= 0.1 * truth.sum()


def test_a_class_of_which_little_is_known_is_held_to_what_all_show() -> None:
    common, rare = np.repeat([[0.99], [0.01]], 200, axis=0), np.full((400, 1), 0.01)
    rare[:20] = 0.98
    probabilities, truth = np.hstack([common, rare]), np.hstack([common, rare]) > 0.5
    assert labelwise.ticked_from(rare[:, 0], truth[:, 1], labelwise.ERROR) == np.inf
    _, upper = labelwise.thresholds(probabilities, truth)
    assert upper.tolist() == [0.99, 0.98]


def test_nothing_is_ticked_where_the_model_is_never_right_enough() -> None:
    _, upper = labelwise.thresholds(np.full((100, 1), 0.9), np.zeros((100, 1), bool))
    assert upper == np.inf


@pytest.fixture
def scenes(manager, labeler) -> Project:
    """Return a project of images with several labels each; of one class the model cannot learn anything."""
    project = factories.make_project(manager=manager, labeler=labeler, classes=NAMES, task_type="multilabel")
    Project.objects.filter(pk=project.pk).update(target_error=0.01, validation_rate=0.0)
    project.refresh_from_db()
    rng = np.random.default_rng(3)
    items = factories.make_unread_items(project, COUNT)
    for item in items:
        applies = rng.random(len(NAMES)) < 0.5
        item.path = (
            "".join(name[0] for name, does in zip(NAMES, applies, strict=True) if does) + f"/{item.pk}"
        )
    Item.objects.bulk_update(items, ["path"])
    seen = np.array([[float(name[0] in labels_of(item)) for name in NAMES] for item in items])
    seen[:, 3] = 0
    vectors = np.hstack([2 * seen - 1, 0.4 * rng.normal(size=(COUNT, 12))])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings.add(embeddings.set_of(project), [item.pk for item in items], vectors.astype(np.float32))
    factories.open_queue(project, items)
    return project


def labels_of(item: Item) -> str:
    return item.path.split("/")[0]


def answer(project: Project, labeler: User, count: int) -> None:
    classes = dict(project.classes.values_list("name", "id"))
    given = 0
    while given < count:
        page = queue.claim(project, labeler, 9)
        assert page is not None
        chosen = [claim.item for claim in page.claims.select_related("item")]
        given += len(chosen)
        submission.submit(page, labeler, [truly(item, classes) for item in chosen])


def truly(item: Item, classes: dict[str, int]) -> submission.Answer:
    named = [classes[name] for name in NAMES if name[0] in labels_of(item)]
    return submission.Answer(item.pk, uuid.uuid4(), tuple(submission.RegionInput(each) for each in named))


@pytest.mark.django_db
def test_sure_labels_are_ticked_on_most_pages_and_the_rest_is_asked_unprompted(scenes, labeler) -> None:
    play(scenes)
    answer(scenes, labeler, 150)
    assert play(scenes) == "round"
    bird = scenes.classes.get(name="bird").pk
    names = dict(scenes.classes.values_list("id", "name"))
    placed = QueueEntry.objects.filter(project=scenes, kind="manual").select_related("item")
    prompted = [each for each in placed if each.likely is not None]
    assert 0.5 * PROMPTED_SHARE < len(prompted) / len(placed) < PROMPTED_SHARE + 0.1
    assert all(is_prompted(each.item_id) for each in prompted)
    right = [names[tick][0] in labels_of(each.item) for each in prompted for tick in each.likely]
    assert np.mean(right) > 0.95
    assert bird not in {tick for each in prompted for tick in each.likely}
    assert np.mean([bird in each.doubtful for each in prompted]) > 0.9


@pytest.mark.django_db
def test_what_was_ticked_is_shown_and_recorded_as_seen(scenes, labeler) -> None:
    play(scenes)
    answer(scenes, labeler, 150)
    play(scenes)
    entry = QueueEntry.objects.filter(project=scenes, likely__len__gt=0).first()
    QueueEntry.objects.filter(pk=entry.pk).update(priority=-3)
    page = queue.claim(scenes, labeler, 1)
    assert page is not None
    shown = shapes.page_shape(page)["items"][0]
    assert (page.kind, shown["id"]) == ("manual", entry.pk)
    assert [each["class"] for each in shown["suggestion"]["regions"]] == entry.likely
    assert shown["suggestion"]["doubtful"] == entry.doubtful
    ticks = tuple(submission.RegionInput(each) for each in entry.likely)
    submission.submit(page, labeler, [submission.Answer(entry.pk, uuid.uuid4(), ticks)])
    given = Annotation.objects.get(item=entry.pk)
    assert (given.suggestion_visible, given.agreed, given.source) == (True, True, "human")


@pytest.mark.django_db
def test_what_is_drawn_to_be_asked_blind_is_ticked_no_more(scenes, labeler) -> None:
    from labeling import suggestions

    play(scenes)
    answer(scenes, labeler, 150)
    play(scenes)
    entry = QueueEntry.objects.filter(project=scenes, likely__len__gt=0).first()
    suggestions.ask_blind(scenes, [entry.pk], 1, probability=0.1)
    entry.refresh_from_db()
    assert (entry.kind, entry.likely) == ("validation", None)


@pytest.mark.django_db
def test_without_the_models_help_nothing_is_ticked(scenes, labeler) -> None:
    QueueEntry.objects.filter(project=scenes).update(likely=[1], doubtful=[])
    scenes.assist_mode = "off"
    page = queue.claim(scenes, labeler, 9)
    assert page is not None
    assert {each["suggestion"] for each in shapes.page_shape(page)["items"]} == {None}


@pytest.fixture
def ticked(scenes, labeler) -> Page:
    """Return a page with one image whose first class is ticked."""
    sky = scenes.classes.get(name="sky").pk
    QueueEntry.objects.filter(project=scenes).update(likely=[sky], doubtful=[])
    page = queue.claim(scenes, labeler, 1)
    assert page is not None
    return page


def confirm(page: Page) -> Annotation:
    """Send a page as it was shown; returns the answer."""
    item = page.claims.get().item_id
    sky = submission.RegionInput(page.project.classes.get(name="sky").pk)
    submission.submit(page, page.labeler, [submission.Answer(item, uuid.uuid4(), (sky,))])
    return Annotation.objects.filter(item=item).latest("id")


@pytest.mark.django_db
def test_a_tick_is_remembered_through_undo_and_a_change_of_mode(ticked, labeler) -> None:
    confirm(ticked)
    undone = submission.undo(ticked.project, labeler)
    assert undone is not None
    Project.objects.update(assist_mode="off")
    assert confirm(Page.objects.get(pk=ticked.pk)).agreed is True
    assert confirm(ticked).agreed is True  # sent once more


@pytest.mark.django_db
def test_a_late_ticked_answer_is_not_taken_for_a_blind_one(ticked) -> None:
    from labeling import suggestions

    claim = ticked.claims.get()
    claim.expires_at = timezone.now() - timedelta(minutes=1)
    claim.save()
    queue.reclaim_expired(ticked.project, timezone.now())
    suggestions.ask_blind(ticked.project, [claim.item_id], 1, probability=0.5)
    answered = confirm(ticked)
    assert (answered.counted, answered.suggestion_visible) == (False, True)
    assert QueueEntry.objects.get(pk=claim.item_id).kind == "validation"
