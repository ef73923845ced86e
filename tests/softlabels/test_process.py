from __future__ import annotations

import os
import subprocess
from dataclasses import replace

from edgeseg.softlabels import process
from edgeseg.softlabels.process import Process


def test_this_process_lives() -> None:
    assert not Process.this().is_dead()
    assert not replace(Process.this(), pid=1, started="").is_dead()


def test_number_that_another_process_has_now_is_of_a_dead_one() -> None:
    assert replace(Process.this(), started="1").is_dead()


def test_process_that_ended_is_dead_before_and_after_its_parent_knows() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    known = replace(Process.this(), pid=child.pid, started=process._started(child.pid))
    assert not known.is_dead()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert known.is_dead()
    child.communicate()
    assert known.is_dead()


def test_nothing_is_known_of_another_machine_or_container() -> None:
    here = Process.this()
    assert not replace(here, machine="another boot", pid=2**22 + 1).is_dead()
    assert not replace(here, machine="", pid=2**22 + 1).is_dead()
    assert replace(here, pid=2**22 + 1).is_dead()
