"""Which precision a network runs in, and the network made ready for it."""

from .choice import Choice, fastest_precision
from .kept import Show
from .prepared import PreparedNetwork

__all__ = ["Choice", "PreparedNetwork", "Show", "fastest_precision"]
