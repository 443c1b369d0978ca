"""Names beside the points of a diagram: those that can be read, in the order in which they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.inputs.escapes import picture_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

Place = tuple[float, float, str, str]
"""Points of type to the right of what is named and above it, and where the text has its anchor."""
AROUND: tuple[Place, ...] = (
    (5, -3, "left", "top"), (5, 3, "left", "bottom"), (6, 0, "left", "center"), (-5, 3, "right", "bottom"),
    (-5, -3, "right", "top"), (-6, 0, "right", "center"), (0, 5, "center", "bottom"), (0, -5, "center", "top"),
)  # fmt: skip
"""Where a name may stand beside a dot, the best place first."""
OVER: tuple[Place, ...] = ((0, 3, "right", "bottom"), (0, -3, "right", "top"))
"""Where a name may stand at the right end of a line."""
DOT = 3.0
"""Half of what a dot takes, in points of type."""


@dataclass(frozen=True)
class PointLabel:
    """What is said of one or of several points that lie over each other."""

    text: str
    at: tuple[float, float]
    """Where, in the diagram's figures: a point that is there."""
    names: int = 0
    """For how many points it stands."""
    colour: str = "black"
    places: tuple[Place, ...] = AROUND


def merged(axes: Axes, points: Sequence[tuple[float, float, str]], weights: Sequence[float]) -> list[PointLabel]:
    """A label for each point (x, y, name), that of the heaviest first: what lies within a dot of one that has a label
    is named with it. The limits of the axes are final."""
    reach = 2 * DOT * axes.figure.dpi / 72
    pixels = [_pixels(axes, (x, y)) for x, y, _ in points]
    groups: list[list[int]] = []
    for i in sorted(range(len(points)), key=lambda i: -weights[i]):
        group = next((group for group in groups if _apart(pixels[i], pixels[group[0]]) <= reach), None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    labels = []
    for group in groups:
        names = [points[i][2] for i in sorted(group)]
        text = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)})"
        labels.append(PointLabel(text, points[group[0]][:2], len(names)))
    return labels


def place_labels(axes: Axes, labels: Sequence[PointLabel], dots: Sequence[tuple[float, float]]) -> list[PointLabel]:
    """Write each label where it lies inside the frame, over no dot but its own and over no label before it, and away
    from the lines if it can; what is left out is returned. Layout and limits of the axes are final."""
    taken: list[Bbox] = []
    left_out = []
    reach = 2 * DOT * axes.figure.dpi / 72
    boxes = [(_pixels(axes, dot), _box_of_dot(axes, dot)) for dot in dots]
    for label in labels:
        own = _pixels(axes, label.at)
        others = [box for at, box in boxes if _apart(at, own) > reach]
        box = _write(axes, label, [*taken, *others])
        if box is None:
            left_out.append(label)
        else:
            taken.append(box)
    return left_out


def _write(axes: Axes, label: PointLabel, obstacles: Sequence[Bbox]) -> Bbox | None:
    """Write one label, and tell what it takes; None where there is no room for it."""
    from matplotlib.patheffects import withStroke

    text = axes.annotate(
        picture_text(label.text), label.at, xytext=(0, 0), textcoords="offset points", fontsize=8, color=label.colour
    )
    text.set_in_layout(False)
    text.set_path_effects([withStroke(linewidth=2, foreground="white")])  # lines behind it do not strike it out
    free = []
    for place in label.places:
        box = _box_at(text, place)
        if _inside(axes, box) and not any(box.overlaps(other) for other in obstacles):
            free.append((_crosses_a_line(axes, box), place))
    if not free:
        text.remove()
        return None
    return _box_at(text, min(free, key=lambda one: one[0])[1])


def _box_at(text: Annotation, place: Place) -> Bbox:
    """What a text takes at a place, in pixels, where it is then."""
    right, above, across, upright = place
    text.set_position((right, above))
    text.set(ha=across, va=upright)
    return text.get_window_extent()


def _inside(axes: Axes, box: Bbox) -> bool:
    frame = axes.bbox
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)


def _crosses_a_line(axes: Axes, box: Bbox) -> bool:
    return any(
        line.get_transform().transform_path(line.get_path()).intersects_bbox(box, filled=False) for line in axes.lines
    )


def _pixels(axes: Axes, at: tuple[float, float]) -> tuple[float, float]:
    x, y = axes.transData.transform(at)
    return float(x), float(y)


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Pixels between two places, along the axis on which these are more."""
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _box_of_dot(axes: Axes, dot: tuple[float, float]) -> Bbox:
    from matplotlib.transforms import Bbox

    (x, y), half = _pixels(axes, dot), DOT * axes.figure.dpi / 72
    return Bbox.from_extents(x - half, y - half, x + half, y + half)
