"""Sessions to devices: opened with logins held in memory, lent from node to node and job to job, cut from outside."""

from tasks.dialing import interrupt_all
from tasks.sessions.broker import begin, close_all
from tasks.sessions.lending import MAX_SESSIONS, close_sessions, interrupt, leave, netmiko_session
from tasks.sessions.opening import device_type_of

__all__ = [
    "MAX_SESSIONS",
    "begin",
    "close_all",
    "close_sessions",
    "device_type_of",
    "interrupt",
    "interrupt_all",
    "leave",
    "netmiko_session",
]
