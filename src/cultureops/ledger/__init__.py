"""The append-only, hash-chained record of everything that weighs, and what proves that it is as it was written."""

from cultureops.ledger.claims import Holder
from cultureops.ledger.event import Actor, Event, JsonValue, NewEvent, Source
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.head import Head, PrintedHead
from cultureops.ledger.keys import KeyFolder
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.storage import Storage
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.verify import verify
from cultureops.ledger.whereabouts import Whereabouts

__all__ = [
    "Actor",
    "Event",
    "Finding",
    "Head",
    "Holder",
    "JsonValue",
    "KeyFolder",
    "Kind",
    "Ledger",
    "NewEvent",
    "PrintedHead",
    "SignedHead",
    "Source",
    "SqlLedger",
    "Storage",
    "Whereabouts",
    "verify",
]
