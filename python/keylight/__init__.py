"""Records the training of a PyTorch model into one file that keylight explores: docs/pytorch.md."""
from .added import add_queries
from .client import Answer, Client, Lit, ServerError, Strip
from .data import Images, indexed
from .described import Described, Sequences, Table
from .errors import NotRecorded, RecordError
from .recorder import Recorder
from .text import Text

__all__ = ["Answer", "Client", "Described", "Images", "Lit", "NotRecorded", "RecordError", "Recorder", "Sequences", "ServerError",
           "Strip", "Table", "Text", "add_queries", "indexed"]
