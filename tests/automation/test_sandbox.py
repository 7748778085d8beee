"""What expressions must not do: get out of the sandbox, or eat memory or time; each is refused and says why."""

import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.automation.workflows.expressions import ExpressionError, evaluate
from app.automation.workflows.growth import MAX_CPU_S

SCOPE: dict[str, Any] = {
    "input": {"items": [1, 2, 3], "text": "a"},
    "host": {"name": "r1"},
    "now": datetime(2026, 1, 2, tzinfo=UTC),
    "many": list(range(100_000)),
    "long": "ab" * 400_000,
    "lines": "a\n" * 100_000,
}
ESCAPES = {
    "class of a tuple": ("{{ ().__class__.__bases__[0].__subclasses__() }}", "unsafe"),
    "class of a number": ("{{ 1 .__class__ }}", "unsafe"),
    "class by subscript": ("{{ ''['__class__'] }}", "unsafe"),
    "class by filter": ("{{ ''|attr('__class__') }}", "No filter named 'attr'"),
    "class by a joined name": ("{{ ''['__cla' ~ 'ss__'] }}", "unsafe"),
    "class by map": ("{{ ['x'] | map(attribute='__class__') | list }}", "unsafe"),
    "class by map of attr": ("{{ ['x'] | map('attr', '__class__') | list }}", "No filter named 'attr'"),
    "class by sum": ("{{ ['x'] | sum(attribute='__class__') }}", "unsafe"),
    "class by groupby": ("{{ ['x', 'y'] | groupby('__class__') | list }}", "unsafe"),
    "class by selectattr": ("{{ ['x'] | selectattr('__class__') | list }}", "unsafe"),
    "method by map": ("{{ [many] | map(attribute='append') | list }}", "unsafe"),
    "format by map": ("{{ ['{:>9}'] | map(attribute='format') | list }}", "unsafe"),
    "format filter by map": ("{{ ['%s'] | map('format', 1) | list }}", "No filter named 'format'"),
    "the template itself": ("{{ self }}", "that is no value"),
    "context of the template": ("{{ self._TemplateReference__context }}", "unsafe"),
    "globals of a function": ("{{ range.__globals__ }}", "unsafe"),
    "method resolution": ("{{ dict.mro() }}", "unsafe"),
    "subclasses": ("{{ dict.__subclasses__() }}", "unsafe"),
    "reduce": ("{{ now.__reduce__() }}", "unsafe"),
    "self of a method": ("{{ input.items.sort.__self__ }}", "unsafe"),
    "function as a value": ("{{ range }}", "that is no value"),
    "type as a value": ("{{ dict }}", "that is no value"),
    "method as a value": ("{{ host.get }}", "that is no value"),
    "os by lipsum": ("{{ lipsum.__globals__.os.popen('id').read() }}", "undefined"),
    "os by cycler": ("{{ cycler.__init__.__globals__ }}", "unsafe"),
    "namespace": ("{{ namespace() }}", "undefined"),
    "include": ("{% include 'secrets' %}", "include is not available"),
    "import": ("{% import 'os' as os %}", "import is not available"),
    "import from": ("{% from 'os' import system %}", "fromimport is not available"),
    "extends": ("{% extends 'base' %}", "extends is not available"),
    "block": ("{% block b %}{% endblock %}", "block is not available"),
    "macro": ("{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}", "macro is not available"),
    "call block": ("{% call range() %}{% endcall %}", "callblock is not available"),
    "filter block": ("{% filter upper %}x{% endfilter %}", "filterblock is not available"),
    "set block": ("{% set x %}{{ long }}{% endset %}", "assignblock is not available"),
    "autoescape": ("{% autoescape true %}{% endautoescape %}", "is not available"),
    "recursive loop": ("{% for i in many recursive %}{{ loop(many) }}{% endfor %}", "recursive loop is not available"),
    "changing a list": ("{{ many.append(1) }}", "Refused"),
    "changing an object": ("{{ input.pop('text') }}", "there is no 'pop' here"),
    "changing by update": ("{{ dict(a=1).update({}) }}", "there is no 'update' here"),
    "changing by setitem": ("{{ many.__setitem__(0, 1) }}", "unsafe"),
    "format with a class": ("{{ '{0.__class__}'.format(1) }}", "unsafe"),
    "format_map": ("{{ ''.format_map(host) }}", "unsafe"),
    "translate": ("{{ 'a'.translate({97: long}) }}", "unsafe"),
    "bytes": ("{{ 'a'.encode().ljust(100000000) }}", "unsafe"),
    "bytes of a number": ("{{ (1).to_bytes(1000000000, 'big') }}", "unsafe"),
    "fromkeys": ("{{ dict.fromkeys(many, long) }}", "unsafe"),
    "a part that is missing": ("{{ [host] | map(attribute='nothing') | list }}", "nothing"),
}
EXHAUSTIONS = {
    "loops without an end": (
        "{% for i in many %}{% for j in many %}{% for k in many %}{% endfor %}{% endfor %}{% endfor %}",
        f"more than {MAX_CPU_S:g} s",
    ),
    "filters without an end": ("{% for i in many %}{% set x = many | list %}{% endfor %}", "more than"),
    "searches without an end": ("{% for i in many %}{% if i + 999999 in many %}{% endif %}{% endfor %}", "more than"),
    "text in a loop": ("{% for i in many %}{{ long }}{% endfor %}", "longer than"),
    "joining a list of long texts": ("{{ ([long] * 1000) | join }}", "longer than"),
    "joining by long texts": ("{{ many | map('string') | join(long) }}", "longer than"),
    "joining by a method": ("{{ long.join(many | map('string')) }}", "longer than"),
    "joining a text by itself": ("{{ long.join(long) }}", "longer than"),
    "tilde": ("{{ long ~ long ~ long }}", "longer than"),
    "tilde of a list": ("{{ ([long] * 1000) ~ '' }}", "longer than"),
    "tilde of an object": ("{{ dict(a=[long] * 1000) ~ '' }}", "longer than"),
    "doubling": ("{% set a = 'x' * 999999 %}{% set b = a ~ a %}{% set c = b ~ b %}{{ c }}", "longer than"),
    "writing out a list": ("{{ ([long] * 1000) | string }}", "longer than"),
    "a list in a text": ("x{{ [long] * 1000 }}", "longer than"),
    "JSON of a list": ("{{ ([long] * 1000) | tojson }}", "longer than"),
    "a value that is small until it is written": ("{{ [[long] * 1000] * 1000 }}", "longer than"),
    "a lazy value": ("{{ ([long] * 1000) | map('upper') }}", "longer than"),
    "indented JSON": ("{{ [1] | tojson(indent=100000000) }}", "at most 16"),
    "indentation": ("{{ lines | indent(10000) }}", "longer than"),
    "indentation by a text": ("{{ lines | indent(width=long) }}", "longer than"),
    "wrapping": ("{{ lines | wordwrap(1, wrapstring=long) }}", "longer than"),
    "batches": ("{{ [1] | batch(1000000000, 'x') | list }}", "at most 100000"),
    "slices": ("{{ [1] | slice(1000000000) | list }}", "at most 100000"),
    "rounding": ("{{ 5 | round(-1000000000) }}", "at most 300"),
    "replacing by filter": ("{{ long | replace('', long) }}", "longer than"),
    "replacing by method": ("{{ long.replace('a', long) }}", "longer than"),
    "replacing many": ("{{ [long, long] | map('replace', 'a', long) | list }}", "longer than"),
    "tabs": ("{{ ('\\t' * 900000).expandtabs(9999) }}", "tabs to more than"),
    "one wide tab": ("{{ 'a'.expandtabs(1000000000) }}", "padding"),
    "padding": ("{{ 'a'.zfill(100000000) }}", "padding"),
    "repetition of a list": ("{{ [0] * 10000000 }}", "longer than"),
    "repetition by a truth": ("{{ 'x' * 10000000 * true }}", "longer than"),
    "a tower of powers": ("{{ 10 ** 1024 ** 2 }}", "more than 4096 bits"),
    "a product of powers": ("{{ (10 ** 1000) * (10 ** 1000) }}", "bits"),
    "a range": ("{{ range(10 ** 18) }}", "a range of"),
    "a range backwards": ("{{ range(10 ** 8, 0, -1) | list }}", "a range of"),
    "parentheses": ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
    "brackets": ("{{ " + "[" * 3000 + "]" * 3000 + " }}", "nested too deeply"),
    "signs": ("{{ " + "-" * 20_000 + "1 }}", "nested too deeply"),
    "attributes": ("{{ host" + ".a" * 20_000 + " }}", "nested too deeply"),
    "filters": ("{{ host" + "|list" * 9000 + " }}", "nested too deeply"),
    "conditions": ("{% if 1 %}" * 500 + "{% endif %}" * 500, "nested too deeply"),
    "loops": ("{% for i in many %}" * 30 + "{% endfor %}" * 30, "nested too deeply"),
    "length": ("{{ 1" + " ~ 1" * 20_000 + " }}", "more than 50000"),
}
MEMORY_BYTES = 1_500 * 1024**2


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Let this process grow by no more than a gigabyte and a half."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as figures:  # noqa: PTH123 — a file of the kernel's
        used = int(figures.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_gets_out(name: str) -> None:
    text, part = ESCAPES[name]
    with pytest.raises(ExpressionError) as refusal:
        evaluate(text, SCOPE)
    assert part in str(refusal.value)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", EXHAUSTIONS)
def test_nothing_grows_or_lasts_without_a_bound(name: str) -> None:
    text, part = EXHAUSTIONS[name]
    with pytest.raises(ExpressionError) as refusal:
        evaluate(text, SCOPE)
    assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ many | sum }}", 4999950000),
        ("{{ many | batch(50000) | map('length') | list }}", [50000, 50000]),
        ("{{ 'a,b' | replace(',', ';') }}", "a;b"),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ [1, 2] | tojson(indent=2) }}", "[\n  1,\n  2\n]"),
        ("{{ 3.14159 | round(2) }}", 3.14),
        ("{% for i in input['items'] %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "1/3 2/3 3/3 "),
        ("{% set x = 5 %}{% with y = x %}{{ x ~ y }}{% endwith %}!", "55!"),
        ("{{ host.nothing | default('none') }}", "none"),
        ("{{ 'a' ~ 1 ~ none ~ [2] }}", "a1None[2]"),
        ("{{ ['a', 'b'] | map('upper') | join('-') }}", "A-B"),
        ("{{ [{'v': 1}, {'v': 2}] | selectattr('v', 'in', [2, 3]) | list }}", [{"v": 2}]),
        ("{{ long | length }}", 800_000),
        ("{{ many }}", SCOPE["many"]),
        ("{{ now.year }}", 2026),
        ("{{ 3 is odd and host is defined }}", True),
    ],
)
def test_what_people_write_still_works(text: str, value: Any) -> None:
    assert evaluate(text, SCOPE) == value
