"""The one exception that is written for the person who reads it."""


class UserError(Exception):
    """Report a mistake its reader can mend: what is wrong, where, what is legal, what to do."""
