"""The tables are those that the migrations make, on both databases; messages name the cure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from edgeseg.errors import QueueError, UsageError
from edgeseg.queue.database import Database
from edgeseg.queue.tables import Base


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_opening_twice_changes_nothing(database: Database, url: str) -> None:
    with Database(url) as again, again.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.execute(text("INSERT INTO classes (number, name) VALUES (1, 'road')"))
        raise RuntimeError
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM classes")) == 0


def test_processes_that_open_a_new_database_at_once_all_find_it(url: str) -> None:
    code = f"from edgeseg.queue.database import Database; Database({url!r}).close()"
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate()[1].decode() for process in started] == ["", "", ""]


def test_a_newer_queue_is_refused(url: str) -> None:
    with Database(url) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(QueueError, match=r"made by another edgeseg .*; update edgeseg or name another --db"):
        Database(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look like something" * 100)
    with pytest.raises(QueueError, match=r"notes.txt: file is not a database; check that the file is a queue's"):
        Database(str(path))


def test_a_server_that_does_not_answer_is_told() -> None:
    with pytest.raises(QueueError, match="check that the server runs, and user, password and name in --db"):
        Database("postgresql://someone:secret@127.0.0.1:1/queue")


def test_a_password_never_stands_in_a_message() -> None:
    with pytest.raises(QueueError) as caught:
        Database("postgresql://someone:verysecret@127.0.0.1:1/queue")
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize("where", ["mysql://host/name", "://", "oracle://x"])
def test_another_kind_of_database_is_refused(where: str) -> None:
    with pytest.raises(UsageError, match="write a file's path, or postgresql://"):
        Database(where)
