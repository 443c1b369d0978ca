"""What ends a run in its middle, as a signal would."""


class Killed(BaseException):
    """What a signal raises."""


class KillingAfter:
    """Ends a search behind one of its generations."""

    def __init__(self, last: int):
        self.last = last

    def started(self, candidates: int) -> None: ...
    def evaluated(self, bits: object, quality: object) -> None: ...
    def set_aside(self, bits: object) -> None: ...
    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        if number == self.last:
            raise Killed
