"""The audit trail: every event of the ledger as a row that a reviewer can search, page through and take home.

It is a view of what is recorded anyway: there is nothing in it to be switched off.
"""

from cultureops.audit.change import Change
from cultureops.audit.chosen import Chosen, Only
from cultureops.audit.row import AuditRow, audit_row
from cultureops.audit.trail import Page, Trail

__all__ = ["AuditRow", "Change", "Chosen", "Only", "Page", "Trail", "audit_row"]
