"""The course as a map: a row for each notebook, with its exercises, the points and minutes that are done, and left."""

import html
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cs231n_viz.exercises.core import Entry

# The parts of the lecture, and the notebooks of each by the question in their titles.
PARTS = {
    "Before the lecture": {"n00_cnn_review": "What does a convolution layer compute?"},
    "Parameter examination": {"n01_first_layer": "What do the first filters look for?"},
    "Feature analysis": {
        "n02_fc_features": "Does the last layer know meaning?",
        "n03_activations": "What does a unit respond to?",
    },
    "Sensitivity analysis": {
        "n04_saliency": "Which pixels matter?",
        "n05_class_activation": "Where is the evidence?",
    },
    "Decomposition": {
        "n06_decomposition": "Who gets the credit?",
        "n06b_method_trials": "Which maps can be trusted?",
    },
    "Model-centred: a picture made to ask about the network": {
        "n07_class_visualization": "What would excite a neuron most?",
        "n08_fooling": "How little does it take?",
        "n09_deepdream_inversion": "What is kept in the features?",
    },
    "Data-centred: the network used to make a picture": {
        "n10_texture": "What is a texture?",
        "n11_style_transfer": "The content of one, the style of another",
        "n12_fast_style": "One forward pass, many styles",
    },
}

_DONE, _OPEN = "✓", "○"
# Light and dark themes draw text, and borders without a colour, in their own.
_CHIP = "display: inline-block; border-radius: 9px; padding: 1px 8px; margin: 2px; "
_DONE_CHIP = _CHIP + "border: 2px solid #009e73; background-color: rgba(0, 158, 115, 0.25)"
_OPEN_CHIP = _CHIP + "border: 1px dashed #888888"


@dataclass(frozen=True)
class Sum:
    """What some exercises are worth, and how much of it is done.

    Attributes:
        exercises: Their number, (done, all of them).
        points: Likewise.
        minutes: Likewise.
    """

    exercises: tuple[int, int]
    points: tuple[int, int]
    minutes: tuple[int, int]

    @classmethod
    def of(cls, entries: Collection[Entry], done: Collection[str]) -> "Sum":
        """Add up exercises.

        Args:
            entries: The exercises.
            done: Names of those that are right.
        """
        right = [entry for entry in entries if entry.name in done]
        return cls(
            (len(right), len(entries)),
            (sum(entry.points for entry in right), sum(entry.points for entry in entries)),
            (sum(entry.minutes for entry in right), sum(entry.minutes for entry in entries)),
        )

    @property
    def points_text(self) -> str:
        """For example "2 of 7 points"."""
        return f"{self.points[0]} of {self.points[1]} points"

    @property
    def minutes_text(self) -> str:
        """For example "15 min done, 25 left"."""
        return f"{self.minutes[0]} min done, {self.minutes[1] - self.minutes[0]} left"


@dataclass(frozen=True)
class CourseMap:
    """Shown as a table by a notebook, as text by a terminal.

    Attributes:
        entries: Room -> its exercises, in the order of the course.
        done: Name of an exercise that is right -> since when, in ISO 8601.
        notes: Sentences to stand below, such as those about damaged files.
    """

    entries: Mapping[str, Sequence[Entry]]
    done: Mapping[str, str]
    notes: Sequence[str] = ()

    @property
    def total(self) -> Sum:
        """Of all exercises."""
        return Sum.of([entry for room in self.entries.values() for entry in room], self.done)

    def __repr__(self) -> str:
        """The same for a terminal, and for pages without HTML."""
        lines = [f"Your course: {self._summary()}"]
        for part, rooms in PARTS.items():
            lines += ["", part]
            for room, question in rooms.items():
                result = Sum.of(self.entries[room], self.done)
                title = f"{_number(room)} {question}"
                lines.append(f"  {title:<46}{result.points_text:<18}{result.minutes_text}")
                lines.append("     " + "   ".join(self._labels(room)))
        return "\n".join([*lines, *([""] if self.notes else []), *self.notes])

    def _repr_html_(self) -> str:
        rows = [row for part, rooms in PARTS.items() for row in self._html_of_part(part, rooms)]
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        done, all_of_them = self.total.points
        bar = f'<progress value="{done}" max="{all_of_them}">{self.total.points_text}</progress>'
        head = "".join(
            f'<th style="text-align: left">{title}</th>' for title in ("notebook", "exercises", "points", "minutes")
        )
        return (
            f"<p><b>Your course</b> {bar} {self._summary()}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{notes}"
        )

    def _html_of_part(self, part: str, rooms: Mapping[str, str]) -> Iterator[str]:
        yield f'<tr><th colspan="4" style="text-align: left">{html.escape(part)}</th></tr>'
        for room, question in rooms.items():
            result = Sum.of(self.entries[room], self.done)
            link = f'<a href="{room.removeprefix("n")}.ipynb">{_number(room)} {html.escape(question)}</a>'
            chips = " ".join(
                f'<span style="{_DONE_CHIP if entry.name in self.done else _OPEN_CHIP}" '
                f'title="{html.escape(self._since(entry.name))}">{html.escape(label)}</span>'
                for entry, label in zip(self.entries[room], self._labels(room), strict=True)
            )
            cells = [link, chips, result.points_text.removesuffix(" points"), result.minutes_text.replace(" min", "")]
            yield "<tr>" + "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells) + "</tr>"

    def _labels(self, room: str) -> list[str]:
        """The exercises of a room with their stars, each after the sign of its state: never by a colour alone."""
        return [
            f"{_DONE if entry.name in self.done else _OPEN} {entry.name} {'★' * entry.stars}"
            for entry in self.entries[room]
        ]

    def _since(self, name: str) -> str:
        return f"right since {self.done[name][:10]}" if name in self.done else "not right yet"

    def _summary(self) -> str:
        done, all_of_them = self.total.exercises
        return (
            f"{done} of {all_of_them} exercises right ({_DONE}) · {self.total.points_text} · {self.total.minutes_text}"
        )


def _number(room: str) -> str:
    """``06b`` of ``n06b_method_trials``."""
    return room.removeprefix("n").partition("_")[0]
