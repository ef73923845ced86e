"""The spool: a folder of flagged frames in which an item is there whole or not at all.

    DIR/spool.json              format of the folder
    DIR/items/ITEM_ID/          record.json and one file for each of its blobs
    DIR/incoming/               items being written or removed; nobody reads here
    DIR/index.sqlite            value, length and state of every item (WAL); can be made again from the items
    DIR/owners/                 one locked file for each process that holds items for upload
    DIR/damaged/                what ``repair`` took out
    DIR/lock                    held, shared, by every process that writes

The folder says what there is, the index what became of it. No part of it reads a clock.
"""

from edgeseg.device.spool.check import SpoolCheck, SpoolRepair
from edgeseg.device.spool.contents import SpoolItem, blob_file
from edgeseg.device.spool.index import SpoolInfo
from edgeseg.device.spool.limits import SpoolLimits
from edgeseg.device.spool.reader import SpoolReader
from edgeseg.device.spool.spool import Spool
from edgeseg.device.spool.storage import Storage

__all__ = [
    "Spool",
    "SpoolCheck",
    "SpoolInfo",
    "SpoolItem",
    "SpoolLimits",
    "SpoolReader",
    "SpoolRepair",
    "Storage",
    "blob_file",
]
