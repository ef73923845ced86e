"""Methods of selection, one a file, and the formulas that they need beside them."""
