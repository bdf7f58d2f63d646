"""What a recording can fail with, and what it can only tell."""


class RecordError(Exception):
    """A training that cannot be recorded, or not any further: one sentence with its remedy."""


class NotRecorded(UserWarning):
    """Something that the record leaves out, told once: attention or contributions are not defined there."""
