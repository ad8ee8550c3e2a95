"""The append-only, hash-chained record of everything that weighs."""

from cultureops.ledger.claims import Holder
from cultureops.ledger.event import Actor, Event, JsonValue, NewEvent, Source
from cultureops.ledger.head import Head
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.verify import verify

__all__ = ["Actor", "Event", "Head", "Holder", "JsonValue", "Ledger", "NewEvent", "Source", "SqlLedger", "verify"]
