"""The canvas's views and regions in the browser's own engine, by the batch."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.batches import HEIGHT, WIDTH, batches, boxes, each, many, points

views = st.fixed_dictionaries(
    {"scale": st.floats(0.01, 64), "x": st.floats(-5000, 5000), "y": st.floats(-5000, 5000)}
)


@batches
@given(many(st.tuples(views, points(), st.floats(0.1, 10), st.floats(50, 2000), st.floats(50, 2000))))
def test_views_keep_what_they_promise(engine, cases):
    found = each(
        engine,
        """([view, [x, y], factor, wide, high]) => {
          const zoomed = v.zoomedAt(view, factor, x, y, {min: 0.05, max: 40});
          const fit = v.fitView(wide, high, 400, 300, 20);
          return {
            before: v.toImage(view, x, y), after: v.toImage(zoomed, x, y), scale: zoomed.scale,
            back: v.toImage(view, ...v.toStage(view, x, y)),
            panned: v.toStage(v.panned(view, 3, -4), x, y), still: v.toStage(view, x, y),
            corners: [...v.toStage(fit, 0, 0), ...v.toStage(fit, 400, 300)],
            fit, heldFit: v.heldInside(fit, wide, high, 400, 300),
            held: v.heldInside(view, wide, high, 400, 300),
          };
        }""",
        cases,
    )
    for (view, point, factor, wide, high), seen in zip(cases, found, strict=True):
        assert seen["after"] == pytest.approx(seen["before"], rel=1e-6, abs=1e-6)
        assert isclose(seen["scale"], min(max(view["scale"] * factor, 0.05), 40))
        assert seen["back"] == pytest.approx(point, abs=1e-5)
        assert seen["panned"] == pytest.approx([seen["still"][0] + 3, seen["still"][1] - 4])
        left, top, right, bottom = seen["corners"]
        assert isclose(left, wide - right, abs_tol=1e-6) and isclose(top, high - bottom, abs_tol=1e-6)
        assert isclose(min(left, top), 20, abs_tol=1e-6) and seen["heldFit"] == pytest.approx(seen["fit"])
        for axis, stage, size in (("x", wide, 400), ("y", high, 300)):
            shown = size * view["scale"]
            covered = min(seen["held"][axis] + shown, stage) - max(seen["held"][axis], 0)
            assert covered > min(47, shown - 1e-6, stage - 1)


KEYS = st.lists(st.integers(1, 8), min_size=1, max_size=3)
commands = st.one_of(
    st.tuples(st.just("add"), st.fixed_dictionaries({"class": st.integers(1, 3), "box": boxes})),
    st.tuples(st.just("change"), KEYS, st.fixed_dictionaries({"class": st.integers(1, 3)})),
    st.tuples(st.just("change"), KEYS, st.fixed_dictionaries({"box": boxes}), st.just({"merge": "drag"})),
    st.tuples(st.just("change"), KEYS, st.just({"locked": True})),
    st.tuples(st.just("change"), KEYS, st.just({"locked": False}), st.just({"locked": True})),
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.just("reorder"), KEYS, st.sampled_from(["front", "back"])),
    st.tuples(st.just("duplicate"), KEYS, st.just(5)),
)
RUN = f"""commands => {{
  const begun = [{{class: 1, box: [1, 2, 3, 4], origin: "accepted"}}, {{parts: [[0, 0, 9, 0, 9, 9]]}}];
  const doc = r.newDocument({WIDTH}, {HEIGHT}, begun);
  const copy = () => JSON.stringify(doc.regions);
  const [begin, states, ends] = [copy(), [], []];
  for (const [name, ...rest] of commands) {{
    const [before, steps] = [doc.regions, doc.past.length];
    r[name](doc, ...rest);
    states.push({{name, rest, before, after: doc.regions, steps: doc.past.length - steps}});
  }}
  const end = copy();
  for (let round = 0; round < 2; round++) {{
    let steps = 0;
    while (r.undo(doc)) steps++;
    ends.push(copy() === begin);
    while (r.redo(doc)) steps--;
    ends.push(copy() === end, steps === 0);
  }}
  return {{states, ends}};
}}"""


@batches
@given(many(st.lists(commands, max_size=15)))
def test_any_sequence_of_commands_is_taken_back_and_brought_back(engine, cases):
    for found in each(engine, RUN, cases):
        assert all(found["ends"])
        merged = False
        for state in found["states"]:
            before, after = ({each["key"]: each for each in state[name]} for name in ("before", "after"))
            assert len(after) == len(state["after"])
            options = state["rest"][2] if len(state["rest"]) > 2 else {}
            if state["name"] in ("change", "remove") and options != {"locked": True}:
                assert all(after.get(key) == region for key, region in before.items() if region["locked"])
            is_drag = options == {"merge": "drag"}
            has_changed = state["before"] != state["after"]
            assert state["steps"] == int(has_changed and not (is_drag and merged))
            merged = is_drag if has_changed else merged


def test_an_accepted_region_is_edited_by_a_change_of_class_or_shape(engine):
    changes = [{"class": 2}, {"box": [0, 0, 2, 2]}, {"hidden": True}, {"class": 1}]
    change = """fields => {
      const doc = r.newDocument(9, 9, [{class: 1, box: [0, 0, 1, 1], origin: "accepted"}]);
      r.change(doc, [1], fields);
      return doc.regions[0].origin;
    }"""
    assert each(engine, change, changes) == ["edited", "edited", "accepted", "accepted"]


def test_reordering_keeps_the_order_of_the_chosen(engine):
    orders = engine.evaluate("""() => ["front", "back"].map(to => {
      const doc = r.newDocument(9, 9, Array.from({length: 5}, () => ({box: [0, 0, 1, 1]})));
      r.reorder(doc, [2, 3], to);
      return doc.regions.map(region => region.key).join("");
    })""")
    assert orders == ["14523", "23145"]


def test_a_region_may_be_changed_by_a_function(engine):
    boxes = engine.evaluate("""() => {
      const doc = r.newDocument(9, 9, [{box: [0, 0, 1, 1]}, {box: [1, 1, 1, 1]}]);
      r.change(doc, [1, 2], region => g.moved(region, 1, 2, 9, 9));
      return doc.regions.map(region => region.box);
    }""")
    assert boxes == [[1, 2, 1, 1], [2, 3, 1, 1]]
