"""Backups: made beside a running lab, proved, kept on a shelf, put back and tried."""

__all__: list[str] = []
