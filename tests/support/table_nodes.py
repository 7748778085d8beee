"""Runs database nodes as the engine does: in a thread, with a way to the database and somebody to act for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tasks.catalog import declared
from tasks.context import NodeContext


@dataclass
class Bench:
    """Whom nodes act for, and what they said they were about to change."""

    user_id: str
    intended: list[str] = field(default_factory=list)

    async def run(self, function: Callable[..., Any], *, dry_run: bool = False, **given: Any) -> dict[str, Any]:
        """Run a node with parameters as a workflow gives them, once evaluated, and return its outputs."""
        outputs: dict[str, Any] = (await self.result(function, dry_run=dry_run, **given)).result
        return outputs

    async def result(self, function: Callable[..., Any], *, dry_run: bool = False, **given: Any) -> Any:
        """Run a node and return its result."""
        loop = asyncio.get_running_loop()
        context = NodeContext(
            execution={"id": "e1"},
            node_id="n1",
            dry_run=dry_run,
            user_id=self.user_id,
            before_change=self.intended.extend,
            run=lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(),
        )
        params = msgspec.convert(given, declared(function).params, strict=False)
        return await asyncio.to_thread(function, context, params)


MakeBench = Callable[..., Awaitable[Bench]]
