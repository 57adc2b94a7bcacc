"""What can go wrong, said so that a clerk knows what to do next."""


class QcError(Exception):
    """An expected failure. `message` says what happened, `hint` what to do (both Chinese)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both in args, so that the error survives pickling
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        parts = [part.rstrip("。") for part in (self.message, self.hint) if part]
        return "，".join(parts) + "。"


class AudioError(QcError):
    """The recording is missing, unreadable, empty, corrupt, encrypted or no audio."""


class RecogniserError(QcError):
    """The recogniser or its weights cannot be loaded or used."""


class CatalogueError(QcError):
    """A rule or a profile of the catalogue is wrong."""


class OrderError(QcError):
    """The order or the file of calls cannot be read."""
