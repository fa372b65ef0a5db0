import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.models import Annotation
from mlassist import facts, forecasting
from tests import factories

paces = st.builds(
    forecasting.Pace,
    labels=st.integers(forecasting.FEWEST_LABELS, 100_000),
    seconds=st.floats(0.1, 600),
    deviation=st.floats(0, 600),
)


@given(st.integers(0, 1_000_000), st.floats(0, 1), st.floats(0, 1), paces)
def test_every_estimate_lies_between_its_best_and_its_worst(left, taken_over, chance, pace):
    seen = forecasting.forecast(left, taken_over, chance, pace)
    for span in (seen.labels, seen.hours, seen.days):
        assert 0 <= span.low <= span.likely + 1e-6
        assert span.likely <= span.high + 1e-6


def test_more_labels_of_late_make_the_forecast_surer():
    def width(labels):
        seen = forecasting.forecast(1_000, 0.0, 0.0, forecasting.Pace(labels, 2.0, 1.0))
        return (seen.hours.high - seen.hours.low) / seen.hours.likely

    assert width(2_000) < width(50)


def test_a_model_that_still_improves_is_told_from_one_that_does_not():
    rising = [(100, 0.6), (200, 0.7), (400, 0.78), (800, 0.84)]
    gain = forecasting.gain_of_next(rising, 400)
    assert 0.01 < gain < 0.05
    assert "more images" in forecasting.advice(rising, 400, 0.04)
    flat = [(100, 0.9), (200, 0.901), (400, 0.9), (800, 0.901)]
    assert forecasting.gain_of_next(flat, 400) == pytest.approx(0, abs=0.002)
    assert "hardly" in forecasting.advice(flat, 400, 0.04)
    assert forecasting.advice(flat, 400, 0.12) == ""  # with so few blind labels it may be chance
    assert forecasting.gain_of_next(rising[:2], 400) is None
    assert forecasting.advice([], 0, 1.0) == ""


@pytest.mark.django_db
def test_where_two_people_answer_each_image_both_answers_are_still_to_come(project, labeler) -> None:
    project.labels_per_item = project.most_labels_per_item = 2
    project.save()
    factories.open_queue(project, factories.make_unread_items(project, 30))
    for _ in range(20):
        factories.answer(project, labeler, lambda item: "circle")
    Annotation.objects.update(seconds=2.0)
    told = facts.forecast(project, [])
    assert told is not None
    assert (told["items_left"], told["labels"]) == (30, 40)
