"""Jobs in the resource store: many records of one client, judged chunk by chunk by whichever worker has the lease.

A worker claims a job for ``lease`` seconds and says again and again that it lives. Who does not is taken to be dead:
another one claims the job and goes on with the chunk that has no result. The results of a chunk, the end of its records
and the next position are one transaction that succeeds for the holder of the lease alone, so no record is left out and
none is judged twice, whenever a worker dies. Time is that of the database, so nodes need no common clock.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from terminology.issues import Invalid, TooCostly, issue
from terminology.storage.records import Chunk, Claim, Found, Job, Kind, Part
from terminology.storage.store import Store
from terminology.storage.tables import GENERATION, JOB, JOB_INPUT, JOB_RESULT

PART = 50
"""Chunks whose results are one file."""
SENDING = 60.0
"""Seconds after which a client that sends no more is taken to be gone."""
_JOB = tuple(JOB.c[name] for name in Job.__dataclass_fields__ if name != "now")
_CLOCK = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
}


def _job(row: Sequence[Any], now: float) -> Job:
    return replace(Job(*row), now=now)


class Jobs:
    """The jobs of a store. ``lease``: seconds without a sign of life after which a worker is taken to be dead;
    ``kept``: seconds for which a job is there after the last thing that happened to it; ``clock`` stands in for the
    database's."""

    def __init__(self, store: Store, lease: float, kept: float, clock: Callable[[], float] | None = None) -> None:
        self._store = store
        self._lease = lease
        self._kept = kept
        self._clock = clock

    # --- what a client does --------------------------------------------------------------------------------

    def open(self, job: Job, most: int) -> None:
        """A new job, to which records are added. Raises TooCostly where the client has ``most`` already."""
        with self._store.transaction(writes=True) as connection:
            connection.execute(select(GENERATION.c.number).with_for_update())  # one at a time: the count must hold
            now = self._now(connection)
            owned = select(func.count()).select_from(JOB).where(JOB.c.owner == job.owner, JOB.c.expires > now)
            if connection.execute(owned).scalar_one() >= most:
                raise TooCostly(issue("OWN_BULK_JOBS", most, "bulk_jobs"))
            row = {name: getattr(job, name) for name in Job.__dataclass_fields__ if name != "now"}
            times = {"created": now, "served": now, "expires": now + self._kept, "until": now + SENDING}
            counts = {"position": 0, "attempts": 0}
            connection.execute(insert(JOB).values({**row, **times, **counts}))

    def add(self, identity: str, number: int, chunk: Chunk) -> None:
        """Takes the next chunk of a job that is being sent. Raises Invalid where the one before is too long ago."""
        text = zlib.compress(chunk.text, 1)
        with self._store.transaction(writes=True) as connection:
            self._change(connection, identity, until=self._now(connection) + SENDING)
            row = {"job": identity, "number": number, "line": chunk.line, "records": chunk.records, "text": text}
            connection.execute(insert(JOB_INPUT).values(row))

    def ready(self, identity: str, records: int, chunks: int) -> None:
        """All was sent: workers may begin."""
        with self._store.transaction(writes=True) as connection:
            self._change(connection, identity, state="waiting", records=records, chunks=chunks, until=0.0)

    def find(self, owner: str, identity: str) -> Job | None:
        """The job of that client; None for one that has expired, was cancelled or is another's."""
        with self._store.transaction() as connection:
            now = self._now(connection)
            row = connection.execute(select(*_JOB).where(JOB.c.id == identity, JOB.c.owner == owner)).first()
            return None if row is None or row.expires <= now else _job(row, now)

    def end(self, identity: str) -> None:
        """Removes a job with all that was sent and found; who judges it notices."""
        with self._store.transaction(writes=True) as connection:
            connection.execute(delete(JOB).where(JOB.c.id == identity))

    def parts(self, identity: str) -> list[Part]:
        """The files of results that a job has, in order."""
        found = select(JOB_RESULT.c.kind, JOB_RESULT.c.number, JOB_RESULT.c.records).where(JOB_RESULT.c.job == identity)
        counts: dict[tuple[Kind, int], int] = {}
        with self._store.transaction() as connection:
            for kind, number, records in connection.execute(found.order_by(JOB_RESULT.c.kind, JOB_RESULT.c.number)):
                part = kind, number // PART + 1
                counts[part] = counts.get(part, 0) + records
        return [Part(kind, number, records) for (kind, number), records in counts.items()]

    def texts(self, identity: str, kind: str, part: int) -> Iterator[bytes]:
        """The NDJSON of one file of results, chunk by chunk; nothing where there is no such file."""
        first = (part - 1) * PART
        wanted = (JOB_RESULT.c.job == identity, JOB_RESULT.c.kind == kind)
        for number in range(first, first + PART):
            with self._store.transaction() as connection:
                asked = select(JOB_RESULT.c.text).where(*wanted, JOB_RESULT.c.number == number)
                text = connection.execute(asked).scalar()
            if text is not None:
                yield zlib.decompress(text)

    # --- what a worker does --------------------------------------------------------------------------------

    def claim(self) -> Claim | None:
        """The right to judge the job that has waited longest; None where nothing waits."""
        with self._store.transaction() as connection:
            now = self._now(connection)
            free = (JOB.c.state == "waiting", JOB.c.until <= now)
            found = connection.execute(select(JOB.c.id).where(*free).order_by(JOB.c.served, JOB.c.id).limit(1)).scalar()
        if found is None:
            return None
        with self._store.transaction(writes=True) as connection:
            now, lease = self._now(connection), secrets.token_hex(16)
            taken = update(JOB).where(JOB.c.id == found, JOB.c.state == "waiting", JOB.c.until <= now)
            started = func.coalesce(JOB.c.started, now)
            values = {"lease": lease, "until": now + self._lease, "started": started, "attempts": JOB.c.attempts + 1}
            if connection.execute(taken.values(values)).rowcount != 1:
                return None  # another worker was first
            *job, position, attempts = connection.execute(
                select(*_JOB, JOB.c.position, JOB.c.attempts).where(JOB.c.id == found)
            ).one()
            return Claim(_job(job, now), lease, position, attempts - 1)

    def chunk(self, claim: Claim) -> Chunk | None:
        """What is to be judged; None where the job has ended."""
        asked = select(JOB_INPUT.c.line, JOB_INPUT.c.records, JOB_INPUT.c.text)
        at = (JOB_INPUT.c.job == claim.job.id, JOB_INPUT.c.number == claim.position)
        with self._store.transaction() as connection:
            row = connection.execute(asked.where(*at)).first()
            return None if row is None else Chunk(row.line, row.records, zlib.decompress(row.text))

    def beat(self, claim: Claim) -> bool:
        """Says that the worker lives; False where the job was cancelled or is another's by now."""
        with self._store.transaction(writes=True) as connection:
            return self._held(connection, claim, until=self._now(connection) + self._lease)

    def keep(self, claim: Claim, chunk: Chunk, found: Sequence[Found]) -> Claim | None:
        """Keeps what was found in the chunk of a claim; the claim of the next chunk, None where the job has none left,
        was cancelled or is another's by now (then nothing is kept)."""
        after = claim.position + 1
        last = after >= claim.job.chunks
        rows = [
            {"job": claim.job.id, "number": claim.position, "kind": each.kind, "records": each.records, "text": text}
            for each in found
            if each.records
            for text in (zlib.compress(each.text, 1),)
        ]
        with self._store.transaction(writes=True) as connection:
            now = self._now(connection)
            values: dict[str, Any] = {"position": after, "judged": JOB.c.judged + chunk.records, "attempts": 0}
            values |= {"served": now, "until": now + self._lease, "expires": now + self._kept}
            if last:
                values |= {"state": "done", "lease": None}
            if not self._held(connection, claim, **values):
                return None
            at = (JOB_INPUT.c.job == claim.job.id, JOB_INPUT.c.number == claim.position)
            connection.execute(delete(JOB_INPUT).where(*at))
            if rows:
                connection.execute(insert(JOB_RESULT), rows)
        return None if last else Claim(claim.job, claim.lease, after, 0)

    def release(self, claim: Claim) -> None:
        """Lets another worker go on."""
        with self._store.transaction(writes=True) as connection:
            self._held(connection, claim, until=0.0, lease=None, attempts=claim.attempts)

    def fail(self, claim: Claim, problem: str) -> None:
        """Gives a job up; what was sent and found is removed."""
        with self._store.transaction(writes=True) as connection:
            expires = self._now(connection) + self._kept
            if self._held(connection, claim, state="failed", lease=None, problem=problem, expires=expires):
                for table in (JOB_INPUT, JOB_RESULT):
                    connection.execute(delete(table).where(table.c.job == claim.job.id))

    def sweep(self) -> int:
        """Removes what has expired, and what a client that is gone had begun to send; how many jobs that were."""
        with self._store.transaction() as connection:
            now = self._now(connection)
            old = (JOB.c.expires <= now) | ((JOB.c.state == "receiving") & (JOB.c.until <= now))
            named = list(connection.execute(select(JOB.c.id).where(old)).scalars())
        for each in named:
            self.end(each)
        return len(named)

    # --- inside a transaction ------------------------------------------------------------------------------

    def _now(self, connection: Connection) -> float:
        if self._clock is not None:
            return self._clock()
        return float(connection.exec_driver_sql(_CLOCK[connection.dialect.name]).scalar_one())

    def _change(self, connection: Connection, identity: str, **values: Any) -> None:
        """Changes a job that is being sent; raises Invalid where its sender was taken to be gone."""
        at = (JOB.c.id == identity, JOB.c.state == "receiving")
        if connection.execute(update(JOB).where(*at).values(values)).rowcount != 1:
            raise Invalid(issue("OWN_MALFORMED_BODY", f"nothing of it came for {SENDING:.0f} s"))

    def _held(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        """Changes the job where the claim still holds."""
        at = (JOB.c.id == claim.job.id, JOB.c.lease == claim.lease, JOB.c.position == claim.position)
        return connection.execute(update(JOB).where(*at).values(values)).rowcount == 1
