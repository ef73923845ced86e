"""Records of a bucket → rows that lack only their classes' numbers; where there are many, in processes of their own."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from typing import TypeVar

from edgeseg.deploy.machine import usable_cores
from edgeseg.errors import DataError, QueueError
from edgeseg.queue.places import Bucket, Reader
from edgeseg.queue.rows import Draft, draft
from edgeseg.queue.validation import HEADER_BYTES, MAX_RECORD_BYTES, check_header, check_record
from edgeseg.records import Record

ALONE = 4
"""Chunks with something new that are checked before processes are worth their start, about a second each."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Checked:
    """What became of some records.

    Attributes:
        drafts: Those that can be used, by key.
        failed: Reasons by the keys of the others.
    """

    drafts: dict[str, Draft]
    failed: dict[str, str]


def default_processes() -> int:
    """One a core that this process may use, four at most: from there on the database is what takes the time."""
    return min(4, usable_cores())


def check_records(reader: Reader, bucket: str, keys: Sequence[str]) -> Checked:
    """Reads records and the heads of their blobs, and holds them against the schema and each other.

    Args:
        reader: Of the bucket.
        bucket: Its name, as the queue remembers it.
        keys: The records'.

    Raises:
        QueueError: The bucket cannot be read.
    """
    records: dict[str, Record] = {}
    failed: dict[str, str] = {}
    for key, content in zip(keys, reader.read(keys, MAX_RECORD_BYTES), strict=True):
        try:
            records[key] = check_record(content, key)
        except DataError as error:
            failed[key] = str(error)
    owned = [(key, blob) for key, record in records.items() for blob in record.blobs]
    headers = reader.read([blob.key for _, blob in owned], HEADER_BYTES)
    for (key, blob), header in zip(owned, headers, strict=True):
        try:
            check_header(records[key], blob.kind, header)
        except DataError as error:
            failed.setdefault(key, str(error))
    return Checked({key: draft(record, bucket) for key, record in records.items() if key not in failed}, failed)


def checked_in_order(
    bucket: Bucket, tasks: Iterator[tuple[_T, Sequence[str]]], processes: int
) -> Generator[tuple[_T, Checked], None, None]:
    """Checks the records of each task, and gives the tasks back in their order.

    Args:
        bucket: Where the records lie.
        tasks: Anything, with the keys of its records. Read ahead by twice as many as there are processes.
        processes: How many check beside this one, once more than ``ALONE`` tasks have records to check; 1 checks
            here.

    Raises:
        QueueError: The bucket cannot be read, or a process was ended from outside.
    """
    left = ALONE
    with bucket.reader() as reader:
        for task, keys in tasks:
            if keys and processes > 1:
                if not left:
                    break
                left -= 1
            yield task, check_records(reader, bucket.name, keys)
        else:
            return
    yield from _in_processes(bucket.name, chain(((task, keys),), tasks), processes)


def _in_processes(
    where: str, tasks: Iterator[tuple[_T, Sequence[str]]], processes: int
) -> Generator[tuple[_T, Checked], None, None]:
    # Not forked: obstore's threads do not survive that.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _open, (where,))
    ahead: deque[tuple[_T, Future[Checked]]] = deque()
    try:
        for task, keys in tasks:
            ahead.append((task, pool.submit(_check, tuple(keys))))
            if len(ahead) > 2 * processes:
                done, result = ahead.popleft()
                yield done, result.result()
        for done, result in ahead:
            yield done, result.result()
    except BrokenProcessPool:
        raise QueueError(
            f"{where}: a process that read its records was ended from outside; what was taken in before stays: "
            "run it again, with --processes 1 where memory is scarce"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_kept_open = ExitStack()
_bucket: Bucket
_reader: Reader


def _open(where: str) -> None:
    """In a process that checks: opens the bucket once."""
    global _bucket, _reader
    # Ctrl+C is answered by the process that keeps the records; this one ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bucket = Bucket(where)
    _reader = _kept_open.enter_context(_bucket.reader())


def _check(keys: Sequence[str]) -> Checked:
    return check_records(_reader, _bucket.name, keys)
