"""What a vehicle carries: scoring of frames, choice of regions, and the spool. Needs no torch."""
