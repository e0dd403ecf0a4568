"""The one error tree: a stable `code` for programs, a human `hint` for people, retryable or not.

Library errors are mapped to these at each edge (store, network, parser, gateway) and never travel further.
A `code` never changes once released.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an input: where it stands, what is wrong, what to do."""

    where: str
    what: str
    hint: str = ""


class AtlasError(Exception):
    """Root of every error that Atlas raises on purpose.

    `message` says what happened, `hint` what to do about it. `retryable`: the same call may succeed later.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(AtlasError):
    """What was sent cannot be accepted; `faults` lists everything that is wrong with it, not only the first."""

    code = "invalid_input"

    def __init__(self, message: str, *, faults: tuple[Fault, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.faults = faults


class BadUrl(InvalidInput):
    code = "bad_url"


class IdempotencyMismatch(InvalidInput):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_mismatch"


class NotFound(AtlasError):
    code = "not_found"


class Unauthorised(AtlasError):
    code = "unauthorised"


class Forbidden(AtlasError):
    code = "forbidden"


class RateLimited(AtlasError):
    """Too many requests; `retry_after` in seconds."""

    code = "rate_limited"
    retryable = True

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class QueueFull(RateLimited):
    """The backlog limit is reached: nothing was accepted. `retry_after` in seconds."""

    code = "queue_full"


class ConfigError(AtlasError):
    """The configuration has faults, all of them listed."""

    code = "config"

    def __init__(self, message: str, *, faults: tuple[Fault, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.faults = faults


class TopologyError(AtlasError):
    """The stage graph is not one that could ever run."""

    code = "topology"


# The store


class StoreError(AtlasError):
    code = "store"


class StoreBusy(StoreError):
    """Another process holds the write lock for longer than the busy timeout; nothing was written."""

    code = "store_busy"
    retryable = True


class StoreFull(StoreError):
    """The disk is full; nothing was written."""

    code = "store_full"
    retryable = True


class StoreUnreadable(StoreError):
    """The file is not a database of ours, or it is damaged."""

    code = "store_unreadable"


class StoreDamaged(StoreUnreadable):
    """SQLite says that the file is damaged. Of the library's: nothing is written to it until it has been restored."""

    code = "store_damaged"


class LibraryHeld(StoreError):
    """Another process has the library for itself, or holds it where we want it for ourselves."""

    code = "library_held"
    retryable = True


class RestoreUnfinished(StoreError):
    """A restore was cut off in the middle: nothing opens the library before it is finished."""

    code = "restore_unfinished"


class StoreTooNew(StoreError):
    """The file was written by a newer release that this one cannot serve."""

    code = "store_too_new"


class ArchiveAway(StoreError):
    """archive.db cannot be used, the library can: what needs a body waits. `retry_after` in seconds."""

    code = "archive_unavailable"
    retryable = True
    retry_after: ClassVar[float] = 60.0


class StoreBroken(StoreError):
    """An I/O error on the database: what is on the disk is unknown, the process must end and start again."""

    code = "store_io"


class LeaseLost(StoreError):
    """The row is no longer ours: lease expired, item deleted or requeued. The work is dropped, nothing was written."""

    code = "lease_lost"


# The store takes no write for now, and nothing was written: whoever has something in hand keeps it and asks again.
TAKES_NO_WRITE: Final = (StoreBusy, StoreFull, StoreDamaged)


# Backups


class BackupFailed(AtlasError):
    """No backup was made, or the one that was made did not pass its check."""

    code = "backup_failed"


class BackupDamaged(AtlasError):
    """A backup is not what it was when it was made, or was never one of ours."""

    code = "backup_damaged"


class BackupBusy(AtlasError):
    """Somebody else works in the folder of the backups."""

    code = "backup_busy"
    retryable = True


# Fetching


class FetchError(AtlasError):
    """A request that brought no usable answer. Each cause has its own code; the message names the host."""

    code = "fetch"
    retryable = True


class AddressDenied(FetchError):
    """The address is private, local or reserved: never dialled, unless `[net] allow_networks` names it."""

    code = "address_denied"
    retryable = False


class DnsFailed(FetchError):
    code = "dns_failed"


class ConnectFailed(FetchError):
    code = "connect_failed"


class TlsFailed(FetchError):
    code = "tls_failed"


class FetchTimeout(FetchError):
    code = "timeout"


class ProtocolBroken(FetchError):
    """The other side does not speak HTTP, closes early or sends a body that cannot be decoded."""

    code = "protocol"


class BodyTooLarge(FetchError):
    code = "too_large"
    retryable = False


class RedirectRefused(FetchError):
    """Too many hops, a loop, no Location, or a scheme other than http and https."""

    code = "redirect"
    retryable = False


class RobotsDenied(FetchError):
    """The site's robots.txt keeps programs away from this page."""

    code = "robots_denied"
    retryable = False


class BreakerOpen(FetchError):
    """The host or provider has failed again and again, or asked to be left alone: it was not asked.

    `retry_after` in seconds: when the next probe may go.
    """

    code = "breaker_open"

    def __init__(self, message: str, *, name: str, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.retry_after = retry_after


class NetworkDown(RateLimited):
    """No host can be reached or looked up, which is no fault of any: ask again after `retry_after` seconds."""

    code = "network_down"


class QuotaSpent(RateLimited):
    """A provider's daily queries are used up; `retry_after` in seconds."""

    code = "quota_spent"


class HttpStatus(FetchError):
    """The server answered with an error status; `retry_after` in seconds when it said so."""

    code = "http_status"

    def __init__(self, message: str, *, status: int, retry_after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


# Parsing


class ParseError(AtlasError):
    """The body could not be parsed."""

    code = "parse"


class ParseTimeout(ParseError):
    """The parser was killed at its deadline."""

    code = "parse_timeout"
    retryable = True


class ParseCrashed(ParseError):
    """The parse process died or ran out of its memory."""

    code = "parse_crashed"
    retryable = True


class Unsupported(ParseError):
    """A kind of content that no parser here reads."""

    code = "unsupported_type"
