"""Doing a step of a batch: its form, what is known and wanted, what was scanned and taken, and its recording."""
