"""The palette as callers see it: node types, packages, and parsers to try on a text."""

from collections.abc import Iterable

import parsers
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.schemas import NodeTypeRead, PackageRead, ParseRead, ParseRequest, ParserRead
from app.core.errors import NotFoundError, ValidationError
from inventory.platforms import PLATFORMS
from parsers import ParseError, UnknownParser
from tasks.catalog import describe


def list_node_types(catalogue: Catalogue) -> list[NodeTypeRead]:
    """Return every node type, by id."""
    return [NodeTypeRead.of(describe(catalogue[node_id])) for node_id in sorted(catalogue)]


def get_node_type(node_id: str, catalogue: Catalogue) -> NodeTypeRead:
    """Return a node type; raises NotFoundError."""
    if node_id not in catalogue:
        raise NotFoundError(f"There is no node type {node_id!r}.", code="NODE_TYPE_NOT_FOUND")
    return NodeTypeRead.of(describe(catalogue[node_id]))


def list_packages(catalogue: Catalogue) -> list[PackageRead]:
    """Return the packages with their node types."""
    packages: dict[str, list[str]] = {}
    for node_id in sorted(catalogue):
        packages.setdefault(catalogue[node_id].package, []).append(node_id)
    return [PackageRead(id=name, node_types=members) for name, members in sorted(packages.items())]


def list_parsers(platform: str | None) -> list[ParserRead]:
    """Return our own parsers; ntc-templates' serve every other command they know."""
    return [
        ParserRead(id=parser.id, platform=parser.platform, commands=list(parser.commands), record=parser.schema())
        for parser in _own(parsers.available(), platform)
    ]


def parse_text(given: ParseRequest) -> ParseRead:
    """Parse a text as a device's answer; raises ValidationError where no parser knows the command or the text."""
    platform = PLATFORMS.get(given.platform)
    slug = platform.ntc_templates if platform is not None and platform.ntc_templates else given.platform
    try:
        parser = parsers.find(slug, given.command)
        return ParseRead(parser=parser.id, records=parser.parse(given.text))
    except UnknownParser as error:
        raise ValidationError.of("command", str(error)) from error
    except ParseError as error:
        raise ValidationError.of("text", str(error)) from error


def _own(known: Iterable[parsers.Parser], platform: str | None) -> list[parsers.Parser]:
    return [parser for parser in known if platform is None or parser.platform == platform]
