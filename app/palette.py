"""Collects the node types of tasks/, of the areas, and of third parties into one catalogue, once per process."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import app
import tasks
from tasks import catalog
from tasks.catalog import Catalog

AREA_MODULE = "nodes"


def build_catalog(nodes_path: Path | None = None) -> Catalog:
    """Fill a catalogue; what third parties got wrong stands in its ``problems``, and is logged.

    Raises DuplicateNodeType when two of our own functions bear one id.
    """
    filled = Catalog(function for module in _own_modules() for function in catalog.collect(module))
    filled.add_guests(*catalog.entry_points())
    if nodes_path is not None:
        filled.add_guests(*catalog.folder(nodes_path))
    return filled


def _own_modules() -> Iterator[ModuleType]:
    """Import the families of tasks/ and every ``nodes`` module of an area."""
    for family in pkgutil.iter_modules(tasks.__path__, f"{tasks.__name__}."):
        yield importlib.import_module(family.name)
    for found in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
        if not found.ispkg and found.name.rpartition(".")[2] == AREA_MODULE:
            yield importlib.import_module(found.name)
