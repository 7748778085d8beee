"""Why an embedded PostgreSQL or Valkey was not started, found or ended.

EmbeddedError
├── StateFolderError      the state folder, or a file in it, cannot be used
├── AccountError          the account PostgreSQL should run as does not exist or may not be used
├── BinariesError         no server program that runs on this machine
├── DataLostError         the data folder that was made earlier is not where it was
├── DataVersionError      the data folder is of another major version of PostgreSQL
├── AddressInUseError     something else answers at our socket
├── StartError            the server did not come up; the message quotes its log
└── StopError             the server did not go down
"""

from app.core.errors import ConfigurationError


class EmbeddedError(ConfigurationError):
    """Root of what the embedded servers say no with; the message says what to do."""


class StateFolderError(EmbeddedError):
    """The state folder, or a file in it, cannot be used."""


class AccountError(EmbeddedError):
    """The account PostgreSQL should run as does not exist or may not be used."""


class BinariesError(EmbeddedError):
    """No server program that runs on this machine."""


class DataLostError(EmbeddedError):
    """The data folder that was made earlier is not where it was, or its passwords are gone."""


class DataVersionError(EmbeddedError):
    """The data folder is of another major version of PostgreSQL."""


class AddressInUseError(EmbeddedError):
    """Something that is not our server answers at our socket."""


class StartError(EmbeddedError):
    """The server did not come up."""


class StopError(EmbeddedError):
    """The server did not go down."""
