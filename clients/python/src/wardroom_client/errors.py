"""What can go wrong. No error has a key in it."""

from __future__ import annotations

from typing import Any, Mapping, Optional


class WardroomError(Exception):
    """The base of all errors of this package."""


class ConfigurationError(WardroomError, ValueError):
    """The client was made with a URL or a key that cannot be used."""


class ConnectionFailed(WardroomError):
    """There was no response, or only a part of it. A change may have been made."""


class TimedOut(ConnectionFailed):
    """The response did not arrive in time."""


class Incomplete(ConnectionFailed):
    """The response ended before its end."""


class ApiError(WardroomError):
    """A response that is an error."""

    def __init__(
        self,
        status: int,
        *,
        code: str = "error",
        detail: str = "",
        errors: Optional[Mapping[str, Any]] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        self.status = status
        #: For programs, such as `not_found`.
        self.code = code
        #: For people.
        self.detail = detail
        #: The messages by field, of a 400.
        self.errors: dict[str, Any] = dict(errors or {})
        #: What the operator finds the request by.
        self.request_id = request_id
        #: Seconds until it is worth another try.
        self.retry_after = retry_after
        super().__init__(str(self))

    def __str__(self) -> str:
        about = self.detail or "; ".join(f"{field}: {text(said)}" for field, said in self.errors.items())
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status} {self.code}: {about or 'no detail'}{request}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), self.__dict__.copy()))


def text(said: Any) -> str:
    """The messages of a field, on one line."""
    return " ".join(str(one) for one in said) if isinstance(said, list) else str(said)


def _again(kind: type[ApiError], values: dict[str, Any]) -> ApiError:
    made = kind(values["status"])
    made.__dict__.update(values)
    made.args = (str(made),)
    return made


class BadRequest(ApiError):
    """400: values that break rules. `errors` has the messages by field."""


class Unauthorized(ApiError):
    """401: the key is missing, unknown, revoked or expired, or its user is not active."""


class Forbidden(ApiError):
    """403: the caller lacks the permission."""


class NotFound(ApiError):
    """404: no such object, or none that the caller may see."""


class Conflict(ApiError):
    """409: the object is in a state that does not allow it."""


class PreconditionFailed(ApiError):
    """412: the object has changed since it was read."""


class Throttled(ApiError):
    """429: too many requests."""


class Unavailable(ApiError):
    """503: try again later. After a change, the code `unconfirmed` means that it may have been made."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: Throttled,
    503: Unavailable,
}
