"""What a device said: platform, command and text go in, records with a JSON Schema come out."""

from parsers.contract import Parser
from parsers.errors import ParseError, ParserError, UnknownParser
from parsers.registry import available, find, parse

__all__ = ["ParseError", "Parser", "ParserError", "UnknownParser", "available", "find", "parse"]
