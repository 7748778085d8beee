"""The files of an execution as its nodes see them: in PostgreSQL, so that workers on every machine share them."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from app.automation.executions import artifacts
from app.automation.executions.masks import Masker
from app.core.database import DatabaseThread, patiently
from tasks.artifacts import Artifact, Limits, WriteMode, normal_path

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StoredArtifacts:
    """The files of one execution; what a node writes holds none of the secrets that were opened."""

    db: DatabaseThread
    masker: Masker
    execution_id: UUID
    node_id: str
    limits: Limits

    def read(self, path: str) -> bytes:
        """Return a file's content; raises NodeError of class validation where there is no such file."""
        name = normal_path(path)
        return self.db.run(patiently(lambda: artifacts.read(self.execution_id, name)))

    def write(self, path: str, content: bytes, mode: WriteMode = "overwrite") -> Artifact:
        """Write a file whole, behind its end, or only where there is none yet; raises NodeError of class validation."""
        writing = artifacts.Writing(
            execution_id=self.execution_id,
            node_id=self.node_id,
            path=normal_path(path),
            content=self.masker.content(content),
            mode=mode,
        )
        if mode == "overwrite":
            return self.db.run(patiently(lambda: artifacts.write(writing, self.limits)))
        return self._once(artifacts.write(writing, self.limits))

    def list(self, prefix: str = "") -> Sequence[Artifact]:
        """Return the files whose paths begin with a text, by path."""
        return self.db.run(patiently(lambda: artifacts.list_files(self.execution_id, prefix)))

    def delete(self, path: str) -> None:
        """Delete a file; raises NodeError of class validation where there is none."""
        self._once(artifacts.delete(self.execution_id, normal_path(path)))

    def _once(self, operation: Coroutine[Any, Any, T]) -> T:
        """Run what must not be repeated when the connection is lost and nobody knows whether it was committed."""
        return self.db.run(operation)
