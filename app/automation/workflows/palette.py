"""The palette as callers see it: node types, and parsers to try on a text."""

from collections.abc import Iterable

import parsers
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.schemas import NodeTypeRead, ParseRead, ParseRequest, ParserRead
from app.core.errors import NotFoundError, ValidationError
from inventory.platforms import PLATFORMS
from parsers import ParseError, UnknownParser
from tasks.catalog import describe
from tasks.node import NodeType


def list_node_types(catalogue: Catalogue, disabled: frozenset[str]) -> list[NodeTypeRead]:
    """Return every node type, by id; those of disabled packages too, so that a canvas can draw what uses them."""
    return [_read(catalogue[node_id], disabled) for node_id in sorted(catalogue)]


def get_node_type(node_id: str, catalogue: Catalogue, disabled: frozenset[str]) -> NodeTypeRead:
    """Return a node type; raises NotFoundError."""
    if node_id not in catalogue:
        raise NotFoundError(f"There is no node type {node_id!r}.", code="NODE_TYPE_NOT_FOUND")
    return _read(catalogue[node_id], disabled)


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


def _read(node_type: NodeType, disabled: frozenset[str]) -> NodeTypeRead:
    return NodeTypeRead.of(describe(node_type), enabled=node_type.package not in disabled)


def _own(known: Iterable[parsers.Parser], platform: str | None) -> list[parsers.Parser]:
    return [parser for parser in known if platform is None or parser.platform == platform]
