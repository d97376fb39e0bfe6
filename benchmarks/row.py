"""One line of the benchmark: what was measured, and what it must reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured number beside its budget; ``sign`` says on which side of ``limit`` it must lie."""

    what: str
    measured: float
    sign: str  # "≤" or "≥"
    limit: float
    unit: str = ""

    @property
    def fits(self) -> bool:
        return self.measured <= self.limit if self.sign == "≤" else self.measured >= self.limit

    def __str__(self) -> str:
        verdict = "" if self.fits else "   MISSED"
        return f"{self.what:72} {self.measured:8.2f}{self.unit} ({self.sign} {self.limit:g}{self.unit}){verdict}"
