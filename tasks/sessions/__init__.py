"""Sessions to devices: opened with logins held in memory, handed from node to node, and cut from outside."""

from tasks.dialing import interrupt_all
from tasks.sessions.lending import MAX_SESSIONS, close_sessions, interrupt, netmiko_session
from tasks.sessions.opening import device_type_of

__all__ = ["MAX_SESSIONS", "close_sessions", "device_type_of", "interrupt", "interrupt_all", "netmiko_session"]
