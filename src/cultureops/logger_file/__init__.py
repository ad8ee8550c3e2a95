"""A temperature logger's file, read and judged by itself; nothing of it is kept."""

from cultureops.logger_file.report import Asked, report
from cultureops.logger_file.trace import LoggerTrace, read_logger_file

__all__ = ["Asked", "LoggerTrace", "read_logger_file", "report"]
