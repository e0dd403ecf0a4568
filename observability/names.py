"""The catalogue: every log event, span, attribute and metric has its name and its meaning here, once."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, NamedTuple, Self


class _Named(StrEnum):
    """A name whose value is what is written; `meaning` is what an operator should know of it."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member


class Event(_Named):
    """A log event."""

    ROLE_STARTED = "role.started", "A role is up and does its work."
    ROLE_STOPPING = "role.stopping", "A role was asked to stop; it takes nothing new and drains."
    ROLE_STOPPED = "role.stopped", "A role has ended in order."
    ROLE_FAILED = "role.failed", "A role ends because it cannot go on; its exit code is not 0."
    CHILD_RESTARTED = "child.restarted", "`atlas up` has started a process again."
    CHILD_EXITED = "child.exited", "A process of `atlas up` has ended; it is started again while its budget lasts."
    ACTOR_STARTED = "actor.started", "A supervised actor runs (debug)."
    ACTOR_CRASHED = "actor.crashed", "An actor raised; the supervisor decides about a restart."
    ACTOR_RESTARTED = "actor.restarted", "An actor runs again after a crash or a stall."
    ACTOR_STALLED = "actor.stalled", "An actor held an item past its deadline without progress and was cancelled."
    SUPERVISOR_GAVE_UP = "supervisor.gave_up", "More restarts than the budget allows; the failure goes upwards."
    REQUEST_SERVED = "request.served", "A request was answered. Writes and failures at info, reads and probes at debug."
    REQUEST_FAILED = "request.failed", "A request ended in an error of ours; the error id is in the answer."
    ITEM_ACCEPTED = "item.accepted", "A save is on the disk: a new item, or one that was there already."
    ITEM_CLAIMED = "item.claimed", "The worker has taken an item from the queue (debug)."
    STAGE_FINISHED = "stage.finished", "A stage has finished an item; its outcome is on the disk."
    STAGE_FAILED = "stage.failed", "A stage raised something unexpected on an item; it is tried again, then buried."
    ITEM_RETRIED = "item.retried", "A stage failed on an item; it is tried again later."
    ITEM_BURIED = "item.buried", "An item became a dead letter, with its reason; it can be replayed."
    ITEM_STAYS = "item.stays", "A kept item could not be fetched or made anew; it stays as it was, with the reason."
    LEASE_LOST = "lease.lost", "A finished step was dropped, because the row had gone to somebody else."
    LEASES_RECLAIMED = "lease.reclaimed", "Leases of a worker that died were taken back."
    ARCHIVE_AWAY = "archive.away", "archive.db cannot be used: the library works, what needs bodies waits."
    BACKUP_MADE = "backup.made", "A backup was made, restored and checked."
    BACKUP_INCOMPLETE = (
        "backup.incomplete",
        "A backup is good, but is without something: bodies, or the library's note of it.",
    )
    BACKUP_FAILED = "backup.failed", "No backup was made, or the one that was made did not pass its check."
    BACKUP_CHECKED = "backup.checked", "A backup was restored into a scratch folder, and is what it was."
    BACKUP_DAMAGED = "backup.damaged", "A backup, or a pack of bodies, is not what it was when it was made."
    BACKUP_DRILLED = "backup.drilled", "The newest backup was restored with all bodies, and all is what it was."
    BACKUP_DELETED = "backup.deleted", "A backup has served its time and was deleted; younger ones are there."
    BACKUP_COPIED = "backup.copied", "The backups that were checked are in the other place too."
    BACKUP_NOT_COPIED = "backup.not_copied", "The backups could not be copied to the other place."
    DATABASE_DAMAGED = "database.damaged", "atlas.db is damaged: it is read as far as it can be, and never written to."
    PROVIDER_ENDS = "provider.ends", "A configured service is shut down by its maker on that day; choose another one."
    QUEUE_DRIFT = "queue.drift", "The kept counts differ from a recount; they were repaired."
    LOG_DROPPED = "log.dropped", "Lines were dropped, because whoever reads the log did not; items are not affected."
    TELEMETRY_DROPPED = "telemetry.dropped", "Spans were dropped, because they could not be kept or sent in time."
    LIBRARY = "library.message", "A message of a library, routed into our log."


class Span(_Named):
    """A span. Those that end in a dot go on with a name of a closed set: a stage, a step, a provider, a kind of job."""

    REQUEST = "request", "One HTTP request to the api, until the last byte of its answer."
    ACCEPT = "accept", "A save: from the check of the disk to the commit after which it is answered."
    CLAIM = (
        "claim",
        "The transaction in which the worker took the item from the queue; linked to what had put it there.",
    )
    STAGE = "stage.", "One stage's work on one item, with its commit; linked to the stage before it, or to the claim."
    STEP = "step.", "One step on the item's timeline, from the end of the step before it."
    COMMIT = "commit", "Storing a stage's outcome: waiting for the writer, and the transaction."
    FETCH = "fetch", "One outgoing request, one hop: from the turn at the host to the end of the body."
    PROVIDER = "provider.", "One provider asked for a copy of a page."
    PARSE = "parse.", "One job for a parse process, its waiting for a free one included."


class Attribute(_Named):
    """An attribute of spans. Names without `atlas.` are those of OpenTelemetry's conventions."""

    ITEM = "atlas.item_id", "The uid of the item."
    FEED = "atlas.feed_id", "The uid of the feed."
    CORRELATION = "atlas.correlation_id", "The X-Request-ID of the request that began it, or a made one."
    STAGE = "atlas.stage", "The stage number at which the item came in."
    ATTEMPT = "atlas.attempt", "Which try at this stage it is, from 1."
    OUTCOME = "atlas.outcome", "What became of it: advance, retry, divert, duplicate, bury."
    CODE = "atlas.code", "The stable code of the reason or error."
    ERROR_ID = "atlas.error_id", "The id under which an unexpected error is kept."
    DETAIL = "atlas.detail", "What a step says of itself."
    METHOD = "atlas.method", "How a step was done: direct, a provider, an extraction method."
    BYTES = "atlas.bytes", "Bytes read or made, after decompression."
    WAITED = "atlas.waited_seconds", "How long it waited: in the queue, or for a free parse process."
    HTTP_METHOD = "http.request.method", "GET, POST, …"
    HTTP_ROUTE = "http.route", "The route's pattern, never the address itself."
    HTTP_STATUS = "http.response.status_code", "The status of the answer."
    URL = "url.full", "The address that was asked for, without credentials and secrets."
    PROCESS = "process.pid", "The parse process that did the job."


class Metric(NamedTuple):
    """A metric. `process`: each role has its own, told apart by the label `role`; else it is of the whole system."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str
    process: bool = True


REQUESTS: Final = Metric(
    "atlas_requests_total",
    "counter",
    "requests",
    ("method", "endpoint", "status"),
    "Requests answered. `endpoint` is the route's pattern; `none` where there is no such route.",
    process=False,
)
REQUEST_SECONDS: Final = Metric(
    "atlas_request_seconds", "histogram", "seconds", ("method", "endpoint"), "Time to answer a request.", process=False
)
ACCEPTED: Final = Metric(
    "atlas_saves_total",
    "counter",
    "saves",
    ("source", "result"),
    "Saves that are on the disk, by way in (api, ui) and result (created, existing, requeued).",
    process=False,
)
PROCESSING_SECONDS: Final = Metric(
    "atlas_processing_seconds",
    "histogram",
    "seconds",
    ("stage",),
    "Time that a stage worked on one item, without its commit.",
    process=False,
)
OUTCOMES: Final = Metric(
    "atlas_outcomes_total",
    "counter",
    "steps",
    ("stage", "outcome", "code"),
    "Finished steps by outcome (advance, retry, divert, duplicate, bury); `code` is that of the reason, empty without"
    " one.",
    process=False,
)
RETRIES: Final = Metric(
    "atlas_retries_total",
    "counter",
    "retries",
    ("stage", "cost"),
    "Steps that are tried again later; `cost`: attempt, or none for what is only postponed.",
    process=False,
)
FEED_POLLS: Final = Metric(
    "atlas_feed_polls_total", "counter", "polls", ("outcome",), "Polls of feeds: ok, retry, failed.", process=False
)
MAILBOX_DEPTH: Final = Metric(
    "atlas_mailbox_depth", "gauge", "claims", ("stage",), "Claims that wait in an actor's mailbox.", process=False
)
ACTOR_BUSY: Final = Metric(
    "atlas_actor_busy", "gauge", "slots", ("stage",), "Slots of an actor that have an item in hand.", process=False
)
ACTOR_SLOTS: Final = Metric("atlas_actor_slots", "gauge", "slots", ("stage",), "Slots of an actor.", process=False)
ACTOR_RESTARTS: Final = Metric(
    "atlas_actor_restarts_total", "counter", "restarts", ("actor",), "Actors started again.", process=False
)
ACTOR_STALLS: Final = Metric(
    "atlas_actor_stalls_total", "counter", "stalls", ("actor",), "Actors cut off without progress.", process=False
)
FETCHES: Final = Metric(
    "atlas_fetches_total",
    "counter",
    "requests",
    ("result",),
    "Outgoing requests by the class of their answer (2xx, 3xx, 4xx, 5xx), the code of their error, or cancelled.",
    process=False,
)
FETCH_SECONDS: Final = Metric(
    "atlas_fetch_seconds", "histogram", "seconds", (), "Time of one outgoing request, one hop.", process=False
)
PARSE_SECONDS: Final = Metric(
    "atlas_parse_seconds",
    "histogram",
    "seconds",
    ("task", "result"),
    "Time of one task in a parse process, without the wait for one; `result`: ok, failed, timeout, crashed, cancelled.",
    process=False,
)
ERRORS: Final = Metric(
    "atlas_errors_total", "counter", "errors", (), "Unexpected errors; `atlas errors` and /errors say what they are."
)
COMMIT_SECONDS: Final = Metric(
    "atlas_commit_seconds",
    "histogram",
    "seconds",
    ("database",),
    "Time of one group commit, the sync to the disk included; `database`: atlas, archive.",
)
WRITER_QUEUE: Final = Metric(
    "atlas_writer_queue", "gauge", "writes", ("database",), "Writes that wait for the next transaction."
)
ARCHIVE_UP: Final = Metric(
    "atlas_archive_up", "gauge", "1", (), "1 while this role can use the archive of fetched bodies, else 0."
)
DAMAGED: Final = Metric(
    "atlas_database_damaged",
    "gauge",
    "1",
    (),
    "1 while this role writes nothing to the database, because that is damaged, else 0.",
)
LOOP_LAG: Final = Metric(
    "atlas_loop_lag_seconds",
    "histogram",
    "seconds",
    (),
    "How much later than asked for the event loop woke a task, looked at once a second.",
)
LOG_DROPPED: Final = Metric(
    "atlas_log_dropped_total", "counter", "lines", (), "Lines that nobody took in time, and that were dropped."
)
SPANS_DROPPED: Final = Metric(
    "atlas_spans_dropped_total",
    "counter",
    "spans",
    ("where",),
    "Spans dropped: to be kept for the timeline (kept), on the way to the worker (worker), for the collector (otlp).",
)
UPTIME: Final = Metric("atlas_uptime_seconds", "gauge", "seconds", (), "Since the role started.")
BUILD_INFO: Final = Metric(
    "atlas_build_info", "gauge", "1", ("version", "python", "sqlite"), "What runs; the value is always 1."
)
ITEMS: Final = Metric(
    "atlas_items",
    "gauge",
    "items",
    ("stage", "state"),
    "Items by stage and state, deleted ones under `deleted`.",
    process=False,
)
QUEUE_DEPTH: Final = Metric(
    "atlas_queue_depth",
    "gauge",
    "items",
    (),
    "Items ready or in hand; past atlas_queue_limit saves wait.",
    process=False,
)
QUEUE_LIMIT: Final = Metric("atlas_queue_limit", "gauge", "items", (), "[queue] max_size.", process=False)
BACKLOG: Final = Metric("atlas_backlog", "gauge", "items", (), "All items in flight.", process=False)
BACKLOG_LIMIT: Final = Metric("atlas_backlog_limit", "gauge", "items", (), "[queue] max_backlog.", process=False)
OLDEST_ITEM: Final = Metric(
    "atlas_oldest_item_age_seconds",
    "gauge",
    "seconds",
    ("stage",),
    "How long the oldest item that can be worked on (ready or in hand) has stood where it is, of discover the oldest"
    " poll that is due; 0 without any. The one figure that sees every stall.",
    process=False,
)
DEAD_LETTERS: Final = Metric(
    "atlas_dead_letters", "gauge", "items", (), "Items that could not be kept, with their reason.", process=False
)
BREAKERS: Final = Metric(
    "atlas_breaker_state",
    "gauge",
    "breakers",
    ("kind", "state"),
    "Breakers of a kind (host, provider) that are open or half_open.",
    process=False,
)
DRIFT: Final = Metric(
    "atlas_conservation_drift",
    "gauge",
    "items",
    (),
    "By how much the kept counts were off at the scheduler's last recount. Anything but 0 is a fault of Atlas.",
    process=False,
)
SCHEDULER_AGE: Final = Metric(
    "atlas_scheduler_age_seconds", "gauge", "seconds", (), "Since the scheduler's last round.", process=False
)
WAL_BYTES: Final = Metric(
    "atlas_wal_bytes", "gauge", "bytes", ("database",), "Size of the write-ahead log.", process=False
)
DATABASE_BYTES: Final = Metric(
    "atlas_database_bytes", "gauge", "bytes", ("database",), "Size of the database file.", process=False
)
DISK_FREE: Final = Metric(
    "atlas_disk_free_bytes", "gauge", "bytes", (), "Free on the disk of the data folder.", process=False
)
DISK_TOTAL: Final = Metric("atlas_disk_total_bytes", "gauge", "bytes", (), "Size of that disk.", process=False)
DISK_RESERVE: Final = Metric(
    "atlas_disk_reserve_bytes", "gauge", "bytes", (), "Below this free, saves are answered 507.", process=False
)
BACKUP_AGE: Final = Metric(
    "atlas_backup_age_seconds",
    "gauge",
    "seconds",
    (),
    "Since the last backup; without any, since the first item was saved.",
    process=False,
)
BACKUP_VERIFIED_AGE: Final = Metric(
    "atlas_backup_verified_age_seconds",
    "gauge",
    "seconds",
    (),
    "Since the last backup that was restored and checked; without any, since the first item was saved.",
    process=False,
)
BACKUP_DRILL_AGE: Final = Metric(
    "atlas_backup_drill_age_seconds",
    "gauge",
    "seconds",
    (),
    "Since the last drill, a backup restored with all bodies; without any, since the first item was saved.",
    process=False,
)
WORKER_UP: Final = Metric(
    "atlas_worker_up", "gauge", "1", (), "1 when the worker answered this scrape within 500 ms, else 0.", process=False
)

METRICS: Final[tuple[Metric, ...]] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
