"""What the recipes share: steps that are done once, settings that are merged, tables that are written."""
