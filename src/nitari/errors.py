"""The few kinds of error. Each message names the fact, the value and the remedy."""


class NitariError(Exception):
    """Base of every error that nitari raises on purpose; a command prints it without a traceback."""


class ConfigError(NitariError):
    """A setting is missing, unknown or out of range."""


class SourceError(NitariError):
    """A source cannot be listed: the path is missing, a table lacks its key, two items share an id."""


class PictureError(NitariError):
    """One picture was refused. ``reason`` is one of a few stable words that the catalog keeps."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ArtifactError(NitariError):
    """An artifact is absent, of another kind or format version, or its parents do not match."""


class DamagedArtifactError(ArtifactError):
    """A file's checksum differs from its manifest. The file was not loaded."""


class QueryError(NitariError):
    """A query cannot be answered: an unknown item, a wrong dimension, a value that is not finite."""


class FilterError(NitariError):
    """A filter does not parse, or does not fit the catalog. ``position`` is a 0-based offset into ``text``."""

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(f"{message}\n  {text}\n  {' ' * position}^")
        self.text = text
        self.position = position


class MissingExtraError(NitariError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package '{package}', which is not installed. Run: pip install 'nitari[{extra}]'"
        )
