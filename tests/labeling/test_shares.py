"""Train, val and test: as large as asked for, the same each time, and what looks alike never in two."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling import shares

sizes = st.integers(1, 300)
pairs = st.lists(st.tuples(st.integers(0, 320), st.integers(0, 320)), max_size=60)


@given(
    sizes,
    pairs,
    st.integers(0, 2**62),
    st.sampled_from([(80, 10, 10), (50, 50, 0), (100, 0, 0), (70, 0, 30)]),
)
def test_groups_stay_whole_and_shares_are_met_but_for_half_a_group(count, edges, seed, wanted) -> None:
    items = np.arange(count) * 3 + 1
    together = np.reshape(np.array(edges, np.int64), (-1, 2)) * 3 + 1
    found = shares.draw(items, together, seed, wanted)
    assert (found == shares.draw(items, together, seed, wanted)).all()
    group = shares.connected(count, shares.places(items, together))
    for one, other in edges:
        if max(one, other) < count:
            assert found[one] == found[other]
    largest = np.bincount(group).max()
    for column, share in enumerate(wanted):
        assert abs((found == column).sum() - share / 100 * count) <= largest + 1e-9
        assert share or not (found == column).any()


def test_most_images_stay_where_they_were_when_others_are_added() -> None:
    none = np.empty((0, 2), np.int64)
    before = shares.draw(np.arange(5_000), none, 7, (80, 10, 10))
    after = shares.draw(np.arange(6_000), none, 7, (80, 10, 10))[:5_000]
    assert (before != after).mean() < 0.03
    other = shares.draw(np.arange(5_000), none, 8, (80, 10, 10))
    assert (before != other).mean() > 0.2
