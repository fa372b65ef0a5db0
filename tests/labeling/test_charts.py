"""What charts say has to be legible on narrow screens too."""

import re
from pathlib import Path

from labeling import charts

STYLES = Path(charts.__file__).parent / "static" / "labeling" / "charts.css"
NARROW = r"@media \(max-width: 600px\).*?\.chart text \{\s*font-size: (\d+)px"


def test_names_at_the_lines_ends_do_not_cover_each_other_on_narrow_screens():
    written_in = re.findall(NARROW, STYLES.read_text(), re.DOTALL)
    points = [
        {"labels": 50, "accuracy": 0.6, "low": 0.3, "high": 0.8},
        {"labels": 545, "accuracy": 0.924, "low": 0.868, "high": 0.962},
    ]
    names = re.findall(r'<text x="532.0" y="([\d.]+)"', charts.accuracy_chart(points, goal=0.95))
    goal, accuracy = sorted(float(height) for height in names)
    assert accuracy - goal >= float(written_in[0])
