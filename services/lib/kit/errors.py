"""What can go wrong with a record, by what should be done about it."""


class Transient(Exception):
    """Worth another try in a moment: a time-out, 429, 503."""


class Poison(Exception):
    """Will never work for this record: it is dead-lettered now."""


class Unavailable(Exception):
    """Our own SQL or Kafka is away: pause and say not ready, instead of dead-lettering what is innocent."""


class UnknownRevision(Exception):
    """The database was migrated by another version of Baton, one that knows more than this one."""


class Braked(Exception):
    """A consumer dead-letters nearly everything it reads: it is we who are broken, so it stops."""
