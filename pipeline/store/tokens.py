"""`store.tokens`: tokens, sessions and one-time links. Only hashes are stored: a copy of the file signs nobody in."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from typing import cast

import anyio
import apsw
import msgspec

from pipeline import errors
from pipeline.store import rows
from pipeline.store.ports import Db

SCOPES = ("read", "write", "admin")
SECRET_BYTES = 32
PREFIX = 12  # letters of a secret that are shown, to recognise it by
LINK_MS = 15 * 60_000
TOUCH_MS = 60_000  # used_at is written at most this often
TOUCH_SECONDS = 0.1  # how long a check waits for that

_COLUMNS = "id, name, kind, scope, prefix, created_at, used_at, expires_at"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: a named token of a program, or the session of a device. Times are wall ms."""

    id: int
    name: str
    kind: str  # token, session, link
    scope: str  # read, write, admin: each may do what the one before may
    prefix: str
    created_at: int
    used_at: int | None
    expires_at: int | None


class TokenStore:
    """`store.tokens`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def create(self, name: str, scope: str) -> str:
        """A new token; its secret is returned this once. Raises InvalidInput for a taken name or a bad scope."""
        faults = _faults(name, scope)
        if faults:
            raise errors.InvalidInput("the token cannot be made", faults=faults)
        secret, now = self._secret("atlas_"), self._db.clock.wall_ms()

        def write(conn: apsw.Connection) -> None:
            if conn.execute("SELECT 1 FROM tokens WHERE kind = 'token' AND name = ?", (name,)).get is not None:
                fault = errors.Fault(where="name", what=f"{name!r} is taken", hint="choose another, or revoke that one")
                raise errors.InvalidInput("the token cannot be made", faults=(fault,))
            _insert(conn, secret, name=name, kind="token", scope=scope, now=now, expires_at=None)

        await self._db.write(write)
        return secret

    async def list(self) -> tuple[Token, ...]:
        """Tokens and sessions, oldest first."""

        def job(conn: apsw.Connection) -> tuple[Token, ...]:
            found = conn.execute(f"SELECT {_COLUMNS} FROM tokens WHERE kind <> 'link' ORDER BY id")
            return tuple(_token(row) for row in found)

        return await self._db.read(job)

    async def revoke(self, name: str) -> None:
        """Take a token, or every session of that device name, back; effective at once. Raises NotFound."""

        def write(conn: apsw.Connection) -> None:
            conn.execute("DELETE FROM tokens WHERE name = ? AND kind <> 'link'", (name,))
            if conn.changes() == 0:
                raise errors.NotFound(f"there is no token {name!r}", hint="see `atlas token list`")

        await self._db.write(write)

    async def check(self, secret: str, *, session_ms: int) -> Token | None:
        """Whose secret this is: a token's or a session's; None for anything else.

        Keeps used_at; a session then lives for another `session_ms`.
        """
        digest, now = _digest(secret), self._db.clock.wall_ms()

        def job(conn: apsw.Connection) -> Token | None:
            row = conn.execute(
                f"""SELECT {_COLUMNS} FROM tokens
                    WHERE hash = ? AND kind <> 'link' AND (expires_at IS NULL OR expires_at > ?)""",
                (digest, now),
            ).get
            return None if row is None else _token(row)

        found = await self._db.read(job)
        if found is not None and now - (found.used_at or 0) > TOUCH_MS:
            # A hint, not worth a wait: reading goes on while the store takes no writes.
            with contextlib.suppress(*errors.TAKES_NO_WRITE), anyio.move_on_after(TOUCH_SECONDS):
                await self._db.write(lambda conn: _touch(conn, found, now, session_ms))
        return found

    async def sign_in_link(self, scope: str = "admin") -> str:
        """A one-time secret for signing a device in, good for 15 minutes."""
        secret, now = self._secret(""), self._db.clock.wall_ms()
        await self._db.write(
            lambda conn: _insert(
                conn, secret, name="sign-in link", kind="link", scope=scope, now=now, expires_at=now + LINK_MS
            )
        )
        return secret

    async def redeem(self, secret: str, device: str, *, session_ms: int) -> str | None:
        """Turn a one-time secret into a session's, once; the session ends when it is unused for `session_ms`.

        None when the secret was used, is wrong or too old.
        """
        digest, session, now = _digest(secret), self._secret("session_"), self._db.clock.wall_ms()

        def write(conn: apsw.Connection) -> bool:
            scope = conn.execute(
                "DELETE FROM tokens WHERE hash = ? AND kind = 'link' AND expires_at > ? RETURNING scope", (digest, now)
            ).get
            if scope is None:
                return False
            _insert(
                conn,
                session,
                name=device,
                kind="session",
                scope=rows.text(scope),
                now=now,
                expires_at=now + session_ms,
            )
            return True

        return session if await self._db.write(write) else None

    async def sign_out(self, secret: str) -> None:
        """End a session; ending one that is gone is fine."""
        digest = _digest(secret)
        await self._db.write(
            lambda conn: conn.execute("DELETE FROM tokens WHERE hash = ? AND kind = 'session'", (digest,)).get
        )

    def _secret(self, prefix: str) -> str:
        return prefix + base64.urlsafe_b64encode(self._db.random(SECRET_BYTES)).decode().rstrip("=")


def _faults(name: str, scope: str) -> tuple[errors.Fault, ...]:
    found = []
    if not name.strip() or len(name) > 100 or not name.isprintable():
        found.append(errors.Fault(where="name", what="must be 1 to 100 printable characters"))
    if scope not in SCOPES:
        found.append(errors.Fault(where="scope", what=f"{scope!r} is none of {', '.join(SCOPES)}"))
    return tuple(found)


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _insert(
    conn: apsw.Connection, secret: str, *, name: str, kind: str, scope: str, now: int, expires_at: int | None
) -> None:
    conn.execute(
        """INSERT INTO tokens (name, kind, scope, hash, prefix, created_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (name, kind, scope, _digest(secret), secret[:PREFIX], now, expires_at),
    )


def _touch(conn: apsw.Connection, token: Token, now: int, session_ms: int) -> None:
    rolled = now + session_ms if token.kind == "session" else None
    conn.execute(
        "UPDATE tokens SET used_at = ?, expires_at = coalesce(?, expires_at) WHERE id = ?", (now, rolled, token.id)
    )


def _token(row: rows.Row) -> Token:
    return Token(
        id=rows.integer(row[0]),
        name=rows.text(row[1]),
        kind=rows.text(row[2]),
        scope=rows.text(row[3]),
        prefix=rows.text(row[4]),
        created_at=rows.integer(row[5]),
        used_at=cast("int | None", row[6]),
        expires_at=cast("int | None", row[7]),
    )
