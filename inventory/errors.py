"""What can go wrong while hosts are chosen: a source that cannot be read, a platform nobody knows."""


class SourceUnavailableError(Exception):
    """A source of hosts cannot be read; the message names the source, the place and the remedy."""


class UnknownPlatformError(LookupError):
    """No platform of that slug is in the map; the message offers the nearest ones."""
