"""All there is to know of one batch, gathered once: for the batch record on paper, the audit pack and the review.

What a reader can't see in the batch itself comes along: who the people are, what lots and equipment were like when they
were used, what the chambers did meanwhile, and every event of other streams that the batch rests on.
"""

from cultureops.dossier.dossier import ChannelRecord, Dossier, EquipmentUse, LotUsed, Person, Place, StayRecord
from cultureops.dossier.gathering import gather_dossier
from cultureops.dossier.measured import Telemetry
from cultureops.dossier.written import Records

__all__ = [
    "ChannelRecord",
    "Dossier",
    "EquipmentUse",
    "LotUsed",
    "Person",
    "Place",
    "Records",
    "StayRecord",
    "Telemetry",
    "gather_dossier",
]
