"""Bringing a spool's items to where they are labeled; ``edgeseg.bucket`` tells what lies where.

An item's blobs go first and its record last, each only where it is not there yet, so that an upload that is cut off,
repeated or run twice at once leaves every item there once and whole.
"""

from edgeseg.device.upload.destination import Destination, open_destination
from edgeseg.device.upload.settings import UploadSettings
from edgeseg.device.upload.uploader import UploadReport, upload

__all__ = ["Destination", "UploadReport", "UploadSettings", "open_destination", "upload"]
