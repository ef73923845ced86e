"""The soft-label cache: its format, writer, reader and checks. Teachers write it, students read it.

CACHE/info.json             what it holds and what made it: classes, teachers, weights, fingerprint
CACHE/frames/<id>.soft      one file a frame (``framefile``), probabilities in 8 bits (``coding``)
"""

from edgeseg.softlabels.fit import require_fit
from edgeseg.softlabels.framefile import EncodedFrame, MissingFrameError
from edgeseg.softlabels.info import CacheInfo, TeacherRecord
from edgeseg.softlabels.reader import SoftLabels
from edgeseg.softlabels.reader import open_cache as open
from edgeseg.softlabels.store import FrameStore
from edgeseg.softlabels.verify import Agreement, VerifyReport, verify
from edgeseg.softlabels.writer import CacheWriter, encode_frame

__all__ = [
    "Agreement",
    "CacheInfo",
    "CacheWriter",
    "EncodedFrame",
    "FrameStore",
    "MissingFrameError",
    "SoftLabels",
    "TeacherRecord",
    "VerifyReport",
    "encode_frame",
    "open",
    "require_fit",
    "verify",
]
