"""A typed client of Wardroom."""

from . import types
from .errors import (
    ApiError,
    BadRequest,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    Forbidden,
    Incomplete,
    NotFound,
    PreconditionFailed,
    Throttled,
    TimedOut,
    Unauthorized,
    Unavailable,
    WardroomError,
)
from .operations import Operations
from .surface import File, Info, Picture, Stream, info
from .version import VERSION as __version__


class Client(Operations):
    """A client of one server, with one key. Threads may share it."""


__all__ = [
    "ApiError",
    "BadRequest",
    "Client",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "File",
    "Forbidden",
    "Incomplete",
    "Info",
    "NotFound",
    "Picture",
    "PreconditionFailed",
    "Stream",
    "Throttled",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "WardroomError",
    "__version__",
    "info",
    "types",
]
