"""Nodes that find something in a text, or make another text of it: patterns, HTML, device output, templates."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
import regex
from cssselect import SelectorError
from lxml import etree, html
from lxml.cssselect import CSSSelector
from markdown_it import MarkdownIt
from msgspec import Meta
from nornir.core.task import Result

from parsers import registry
from parsers.contract import Parser
from parsers.errors import ParseError, UnknownParser
from tasks.conditions import REGEX_TIMEOUT_S
from tasks.errors import NodeError
from tasks.families import GIVEN, format_node
from tasks.items import LONGEST_TEXT, MOST_ITEMS, bounded, text_of, within
from tasks.node import Expression, Handle, Params, outcome
from tasks.patterns import LONGEST_PATTERN, LONGEST_SEARCHED, compiled, shown
from tasks.ssh import AUTO, ntc_name, parser_by_id

LONGEST_MARKDOWN = 200_000
"""Markdown takes long to read where it is malicious, and nobody writes more of it by hand."""


class RegexParams(Params, frozen=True, kw_only=True):
    """What to look for, and what to make of it."""

    source: Annotated[Expression, Meta(description="The text to look through.")] = GIVEN
    pattern: Annotated[
        str, Meta(min_length=1, max_length=LONGEST_PATTERN, description="The regular expression; (?P<name>…) names.")
    ]
    output_mode: Annotated[
        Literal["groups", "all_matches", "first_match", "boolean"],
        Meta(
            description="groups: an object of the first match's groups; all_matches: an array with one for each match "
            "(texts where there are no groups); first_match: its text; boolean: whether there is one."
        ),
    ] = "groups"
    group_names: Annotated[
        list[str], Meta(max_length=100, description="Names for the groups, in their order, instead of their own.")
    ] = []
    ignore_case: Annotated[bool, Meta(description="Upper and lower case are the same.")] = False
    multiline: Annotated[bool, Meta(description="^ and $ fit at every line.")] = True
    dot_all: Annotated[bool, Meta(description=". fits the end of a line too.")] = False


class TemplateParams(Params, frozen=True, kw_only=True):
    """The text to fill."""

    template: Annotated[
        str, Meta(max_length=LONGEST_TEXT, description="A Jinja2 template; {{ input.data.name }} stands for a value.")
    ]


class Extraction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to take of which elements."""

    selector: Annotated[str, Meta(min_length=1, max_length=500, description="A CSS selector, such as table.ports td.")]
    output_name: Annotated[str, Meta(min_length=1, max_length=200, description="The field it becomes.")]
    attribute: Annotated[
        str, Meta(min_length=1, max_length=100, description="text, html, or the name of an attribute such as href.")
    ] = "text"
    every: Annotated[bool, Meta(description="An array with all elements that fit, instead of the first.")] = False


class HtmlExtractParams(Params, frozen=True, kw_only=True):
    """What to take out of a page."""

    source: Annotated[Expression, Meta(description="The HTML text.")] = GIVEN
    extractions: Annotated[
        list[Extraction], Meta(min_length=1, max_length=100, description="What to take of which elements.")
    ]


class MarkdownParams(Params, frozen=True, kw_only=True):
    """The text to set."""

    source: Annotated[Expression, Meta(description="The Markdown text (CommonMark, and tables).")] = GIVEN


class DeviceParams(Params, frozen=True, kw_only=True):
    """What was printed, and by what."""

    source: Annotated[Expression, Meta(description="The text that the device printed.")] = GIVEN
    platform: Annotated[
        str, Meta(min_length=1, max_length=100, description="The device's platform, such as cisco_ios.")
    ] = "{{ host.platform }}"
    command: Annotated[str, Meta(min_length=1, max_length=1000, description="The command that printed it.")]
    parser: Annotated[
        str, Meta(min_length=1, max_length=200, description="auto: the one that reads the command; or a parser's id.")
    ] = AUTO


@format_node(
    "parse:regex",
    name="Regex Extract",
    icon="regex",
    triggers=("matched", "unmatched"),
    outputs=(
        Handle("result", "any", "What was found, as output_mode says; null (or false) where nothing was."),
        Handle("count", "number", "How often the pattern fits; at most 1 unless all_matches is asked for."),
    ),
)
def parse_regex(params: RegexParams) -> Result:
    """Find a regular expression in a text; goes on by ``matched`` or by ``unmatched``."""
    found = _found(params)
    if params.output_mode == "boolean":
        result: Any = bool(found)
    elif params.output_mode == "first_match":
        result = found[0].group() if found else None
    else:
        objects = bounded([_groups(match, params.group_names) for match in found], "result")
        result = objects if params.output_mode == "all_matches" else next(iter(objects), None)
    return outcome({"result": result, "count": len(found)}, branch="matched" if found else "unmatched")


@format_node(
    "parse:template",
    name="Template",
    icon="file-text",
    outputs=(Handle("result", "string", "The filled text."),),
)
def parse_template(params: TemplateParams) -> Result:
    """Fill a Jinja2 template with what the workflow knows."""
    return outcome({"result": params.template})


@format_node(
    "parse:html-extract",
    name="HTML Extract",
    icon="file-code",
    outputs=(Handle("result", "object", "A field for each extraction: what was found, null or [] for nothing."),),
)
def parse_html_extract(params: HtmlExtractParams) -> Result:
    """Take texts and attributes out of HTML by CSS selectors."""
    selectors = [_selector(extraction.selector) for extraction in params.extractions]
    names = [extraction.output_name for extraction in params.extractions]
    if len(set(names)) < len(names):
        raise NodeError("validation", "extractions: two have the same output_name. Give each its own.")
    page = _page(text_of(params.source, "source"))
    result = {
        extraction.output_name: _extracted(page, selector, extraction)
        for extraction, selector in zip(params.extractions, selectors, strict=True)
    }
    return outcome({"result": bounded(result, "result")})


@format_node(
    "parse:markdown",
    name="Markdown",
    icon="file-type",
    outputs=(Handle("html", "string", "The text as HTML; HTML that stood in it is shown as text."),),
)
def parse_markdown(params: MarkdownParams) -> Result:
    """Turn Markdown into HTML that is safe to send: what is HTML in the text is shown, not taken over."""
    text = text_of(params.source, "source", LONGEST_MARKDOWN)
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return outcome({"html": markdown.render(text)})


@format_node(
    "parse:device",
    name="Parse Device Output",
    icon="scan-text",
    outputs=(
        Handle("records", "records", "What the parser read."),
        Handle("parser", "string", "The id of the parser that read it."),
    ),
)
def parse_device(params: DeviceParams) -> Result:
    """Read records out of what a device printed; a text that is not the command's fails with class ``parse``."""
    text = text_of(params.source, "source")
    try:
        parser = _parser(params)
        records = parser.parse(text)
    except UnknownParser as error:
        raise NodeError("parse", f"source cannot be parsed: {error}.") from error
    except ParseError as error:
        message = f"The parser {parser.id} cannot read source as what {params.command!r} prints: {error}"
        raise NodeError("parse", message) from error
    return outcome({"records": bounded(within(records, "records"), "records"), "parser": parser.id})


def _found(params: RegexParams) -> list[regex.Match[str]]:
    """Return the matches that are asked for: all, or at most the first."""
    text = text_of(params.source, "source", LONGEST_SEARCHED)
    flags = (
        (regex.IGNORECASE if params.ignore_case else 0)
        | (regex.MULTILINE if params.multiline else 0)
        | (regex.DOTALL if params.dot_all else 0)
    )
    most = MOST_ITEMS + 1 if params.output_mode == "all_matches" else 1
    pattern = compiled(params.pattern, flags)
    try:
        return within(list(islice(pattern.finditer(text, timeout=REGEX_TIMEOUT_S), most)), "source")
    except TimeoutError as error:
        message = f"pattern {shown(params.pattern)} took over {REGEX_TIMEOUT_S:g} s. Write it without nested repeats."
        raise NodeError("expression", message) from error


def _groups(match: regex.Match[str], names: Sequence[str]) -> Any:
    """Return a match's groups under their names or numbers, or its text where it has no groups."""
    groups = match.groups()
    if not groups:
        return match.group()
    own = {place: name for name, place in match.re.groupindex.items()}
    named = dict(enumerate(names, 1))
    return {named.get(place) or own.get(place, str(place)): text for place, text in enumerate(groups, 1)}


def _selector(written: str) -> CSSSelector:
    try:
        return CSSSelector(written, translator="html")
    except (SelectorError, etree.XPathError) as error:
        message = f"extractions: {written!r} is no CSS selector: {error}. Write one such as table.ports td."
        raise NodeError("validation", message) from error


def _page(text: str) -> Any:
    """Read HTML as browsers do, whatever is wrong with it; nothing outside of it is fetched."""
    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    try:
        return html.document_fromstring(text.encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise NodeError("parse", f"source is no HTML: {error}. Give the text of a page.") from error


def _extracted(page: Any, selector: CSSSelector, extraction: Extraction) -> Any:
    elements = selector(page)
    values = [_value(element, extraction.attribute) for element in elements[: None if extraction.every else 1]]
    return within(values, extraction.output_name) if extraction.every else next(iter(values), None)


def _value(element: Any, attribute: str) -> str | None:
    if attribute == "text":
        return " ".join(element.text_content().split())
    if attribute == "html":
        return str(html.tostring(element, encoding="unicode", with_tail=False))
    value: str | None = element.get(attribute)
    return value


def _parser(params: DeviceParams) -> Parser:
    if params.parser != AUTO:
        return parser_by_id(params.parser)
    return registry.find(ntc_name(params.platform), params.command)
