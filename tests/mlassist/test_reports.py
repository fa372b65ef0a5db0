"""What the Models page says of a detector: to whom, and nothing that is not stored."""

import pytest

from labeling.charts import percent
from labeling.models import Item, LabelClass, Region
from mlassist import reports
from mlassist.models import ModelVersion
from mlassist.templatetags.detected import proposed_drawing, scores
from tests import detected, factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def boxes(manager, reviewer, labeler):
    """A project of boxes with six answered images."""
    project = factories.make_project(
        manager=manager, reviewer=reviewer, labeler=labeler, task_type="detection", target_error=0.1
    )
    detected.answer(factories.make_scenes(project, 6), labeler)
    return project


def items_of(project) -> list[Item]:
    return list(project.items.order_by("path"))


def page(client, user, project) -> str:
    client.force_login(user)
    response = client.get(f"/projects/{project.pk}/models/")
    assert response.status_code == 200
    return response.content.decode()


def test_every_figure_on_the_page_is_as_it_is_stored(boxes, client, reviewer):
    version = detected.make_version(boxes, items_of(boxes))
    text = page(client, reviewer, boxes)
    stored = version.metrics["blind"]
    for figure in (stored["ap50"], stored["ap"], stored["mean_iou"], *filter(None, stored["per_class"])):
        assert f">{percent(figure)}<" in text
    for name in ("accuracy", "low", "high"):
        assert percent(version.metrics[name]) in text
    for title, ap50 in version.metrics["candidates"].items():
        assert title in text
        assert percent(ap50) in text
    report = reports.newest(boxes, [version])
    assert (report.agreed, report.shown, report.drawn) == (63, 81, 81)
    assert f"Of what it shows, {percent(63 / 81)} agrees with people." in text
    assert "Measured on 84 blind images" in text
    counts = [[cell.count for cell in line.cells] for line in report.lines]
    assert counts == [*stored["confusion"][:-1], stored["confusion"][-1][:-1]]
    assert [(each.drawn.name, each.found.name, each.count) for each in report.mix_ups] == [
        ("square", "circle", 5),
        ("circle", "square", 3),
    ]
    assert "none drawn" in text


def test_before_blind_answers_the_images_held_out_tell(boxes, client, manager):
    detected.make_version(boxes, items_of(boxes), blind=False)
    text = page(client, manager, boxes)
    assert "each held out once" in text
    assert percent(0.7904) in text
    assert percent(0.7412) in text
    assert "come with blind answers" in text


def test_a_version_that_nothing_has_measured_says_what_comes_next(boxes, client, manager, labeler):
    ModelVersion.objects.create(
        project=boxes,
        number=1,
        backbone="bundled",
        head="none",
        labels=5,
        metrics={"labels": 5, "head": "head alone", "candidates": {}},
    )
    assert "too few images to hold some out" in page(client, manager, boxes)
    client.force_login(labeler)
    dashboard = client.get(f"/projects/{boxes.pk}/").content.decode()
    assert "Not measured yet" in dashboard


def test_only_reviewers_and_managers_see_it(boxes, client, labeler, outsider):
    detected.make_version(boxes, items_of(boxes))
    for user in (labeler, outsider):
        client.force_login(user)
        for address in ("models/", "models/live/"):
            assert client.get(f"/projects/{boxes.pk}/{address}").status_code in (403, 404)


def test_pictures_stand_beside_the_answers_that_are_still_there(boxes, client, manager, labeler):
    items = items_of(boxes)
    version = detected.make_version(boxes, items)
    report = reports.newest(boxes, [version])
    shown = report.best + report.worst
    assert {each.item for each in shown} == set(items)
    first = report.best[0]
    assert first.agreement == 1
    assert [each.bbox for each in first.drawn] == [each.region.bbox for each in first.found]
    text = page(client, manager, boxes)
    assert f"/projects/{boxes.pk}/data/{first.item.pk}/" in text
    assert text.count("stroke-dasharray") == 2 * sum(len(each.found) for each in shown)

    other = factories.make_project(manager=manager, task_type="detection")
    theirs = factories.make_scenes(other, 1)
    detected.answer(theirs, labeler)
    Item.objects.filter(pk=items[0].pk).update(state=Item.State.REMOVED)
    Item.objects.filter(pk=items[1].pk).update(current_annotation=None, state=Item.State.UNLABELED)
    version.metrics["examples"]["best"][0]["item"] = theirs[0].pk
    version.metrics["examples"]["worst"][0]["item"] = 0
    report = reports.newest(boxes, [version])
    left = {each.item for each in report.best + report.worst}
    assert left < set(items)
    assert not left & {items[0], items[1]}


def test_outlines_are_drawn_dashed_with_their_confidence():
    item, label = Item(width=90, height=60), LabelClass(name="car", color="#2f6fde")
    region = Region(label_class=label, polygon=[[10.0, 20.0, 50.0, 20.0, 50.0, 40.0]])
    drawn = proposed_drawing([reports.Proposed(region, 0.999)], item)
    assert 'd="M10 20 50 20 50 40z"' in drawn
    assert "<title>car .99</title>" in drawn
    assert proposed_drawing([], item) == ""
    crowd = [reports.Proposed(region, 0.5 + each / 100) for each in range(40)]
    assert "<text" not in proposed_drawing(crowd, item)
    assert scores([0.5, 0.97]) == ".50 .97"
    assert scores([each.confidence for each in crowd]) == "× 40, .89 to .50"


def test_what_does_nothing_for_boxes_is_not_offered(boxes, client, manager):
    detected.make_version(boxes, items_of(boxes))
    text = page(client, manager, boxes)
    assert "Try fine-tuning" not in text
    assert "Use this" not in text
    assert "Nothing to choose here" in text
    assert (
        client.get(f"/projects/{boxes.pk}/settings/")
        .content.decode()
        .count("At least this much agreement (%)")
        == 1
    )


def test_the_preview_tells_what_a_promise_would_bring(boxes, client, manager):
    detected.make_version(boxes, items_of(boxes))
    client.force_login(manager)
    asked = {"assist_mode": "accept", "promise": "each", "target": "90", "confidence": "95"}
    text = client.get(f"/projects/{boxes.pk}/certificate/preview/", asked).content.decode()
    assert f"<strong>{percent(0.5)}</strong> of the images" in text


def test_the_certificate_page_says_what_keeps_one_out_of_reach(boxes, client, reviewer):
    version = detected.make_version(boxes, items_of(boxes))
    message = "It would take 58 blind labels, and 25 images are drawn for them"
    version.metrics = {**version.metrics, "outlook": {"needed": 58, "message": message}}
    version.save(update_fields=["metrics"])
    client.force_login(reviewer)
    assert f"{message}." in client.get(f"/projects/{boxes.pk}/certificate/").content.decode()
