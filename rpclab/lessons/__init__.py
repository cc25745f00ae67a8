"""What the notebooks show beside the system: programs that do it wrong on purpose, ears on the wire, strangers at the door.

Nothing of the system itself imports these.
"""

from .dissect import Dissection, dissect
from .original import OriginalServer, OriginalServers
from .segments import pieces
from .sharing import Exchange, Exchanges, SharedConnection, race, simulated_race
from .strangers import Stay, Stays, crowd, say
from .tap import Tap
from .waiting import at_once, timed, wait_for

__all__ = [
    "Dissection",
    "Exchange",
    "Exchanges",
    "OriginalServer",
    "OriginalServers",
    "SharedConnection",
    "Stay",
    "Stays",
    "Tap",
    "at_once",
    "crowd",
    "dissect",
    "pieces",
    "race",
    "say",
    "simulated_race",
    "timed",
    "wait_for",
]
