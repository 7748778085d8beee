"""Resumptions as they cross the API."""

from app.core.wire import Output


class ResumeRead(Output, frozen=True, kw_only=True):
    """What was resumed; `resumed` is 0 where the same call had resumed it before."""

    node_id: str
    resumed: int
