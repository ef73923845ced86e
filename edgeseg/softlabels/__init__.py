"""The soft-label cache: its format, writer, reader and checks. Teachers write it, students read it.

A frame is log-probabilities on a grid (``grid``), mixed and rounded (``transform``), packed (``tiles``), and kept as
one shard of a Zarr 3 array (``layout``) in a folder or an object store (``places``).
"""

from edgeseg.softlabels.encoding import Coding, EncodedFrame, encode_frame
from edgeseg.softlabels.fit import require_fit
from edgeseg.softlabels.frames import MissingFrameError
from edgeseg.softlabels.gate import Shortfall, check_gate, shortfalls
from edgeseg.softlabels.info import CacheInfo, TeacherRecord
from edgeseg.softlabels.reader import SoftLabels
from edgeseg.softlabels.reader import open_cache as open
from edgeseg.softlabels.verify import Agreement, VerifyReport, verify
from edgeseg.softlabels.writer import CacheWriter

__all__ = [
    "Agreement",
    "CacheInfo",
    "CacheWriter",
    "Coding",
    "EncodedFrame",
    "MissingFrameError",
    "Shortfall",
    "SoftLabels",
    "TeacherRecord",
    "VerifyReport",
    "check_gate",
    "encode_frame",
    "open",
    "require_fit",
    "shortfalls",
    "verify",
]
