"""Teachers: the ensemble's mathematics, and building the soft-label cache over a dataset."""

from edgeseg.cluster import EngineSettings
from edgeseg.teachers.build import build_cache
from edgeseg.teachers.ensemble import combine
from edgeseg.teachers.repair import RepairReport, repair_cache
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.spec import TeacherSpec, parse_spec
from edgeseg.teachers.teacher import Teacher, load_teacher
from edgeseg.teachers.verify import verify_cache

__all__ = [
    "CacheSettings",
    "EngineSettings",
    "RepairReport",
    "Teacher",
    "TeacherSpec",
    "build_cache",
    "combine",
    "load_teacher",
    "parse_spec",
    "repair_cache",
    "verify_cache",
]
