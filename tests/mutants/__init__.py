"""Answers to the exercises as people write them, wrong and right, independent of the package's own code.

One module per exercise, in the room of its notebook and of the exercise's name, each with ``answers = Answers()``. A
wrong answer carries a fragment of the diagnosis that it must get; a right one must pass and be handed back.
"""

from collections.abc import Callable


class Answers:
    """The answers to one exercise, collected by decorators."""

    def __init__(self) -> None:
        self.wrongs: list[tuple[Callable, str]] = []
        self.rights: list[Callable] = []

    def wrong(self, diagnosis: str) -> Callable[[Callable], Callable]:
        def collect(function: Callable) -> Callable:
            self.wrongs.append((function, diagnosis))
            return function

        return collect

    def right(self, function: Callable) -> Callable:
        self.rights.append(function)
        return function
