"""Why a row is not what it was to be."""


class CannotBeMade(Exception):
    """The row cannot run here; the text is the reason that its column shows."""


class BadTable(Exception):
    """ci/matrix.toml cannot be used; the text names the row and the key."""
