"""What people ask for and do not get, with the reason; requests answer 400 with it."""


class Refused(Exception):
    """Why something cannot be done, in a sentence for people."""
