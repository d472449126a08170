"""The one kind of error that is the user's to mend."""


class InputError(ValueError):
    """Bad input or a bad request. The message is one sentence for the user: what is wrong and what to do."""


class Cancelled(Exception):
    """The caller's ``cancelled()`` returned True; nothing was written and nothing is kept."""
