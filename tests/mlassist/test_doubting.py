"""Reviewers see first what a model that has not learned from a label says is wrong."""

import numpy as np
import pytest

from labeling import gallery
from labeling.models import Item
from mlassist import doubting
from mlassist.detectors.shapes import Shapes
from tests import factories

pytestmark = pytest.mark.django_db


def boxes(*rows: tuple[float, float, float, float, int]) -> Shapes:
    table = np.array(rows, float).reshape(-1, 5)
    return Shapes(table[:, :4], table[:, 4].astype(int), np.full(len(table), 0.97))


def test_images_with_a_missing_or_wrong_box_come_first(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    items = factories.make_scenes(project, 3)
    for each in items:
        given = factories.make_annotation(each, "circle", labeler)
        Item.objects.filter(pk=each.pk).update(state="labeled", current_annotation=given)
    whole = boxes((10, 10, 60, 60, 0), (100, 100, 180, 160, 1))
    drawn = [whole, boxes((10, 10, 60, 60, 0)), boxes((10, 10, 60, 60, 2), (100, 100, 180, 160, 1))]
    doubting.rank_objects(project, [each.pk for each in items], [whole] * 3, drawn)
    first, second, last = gallery.page(project, gallery.Filters(), "label_error")[0]
    assert {first.pk, second.pk} == {items[1].pk, items[2].pk}
    assert last.pk == items[0].pk
