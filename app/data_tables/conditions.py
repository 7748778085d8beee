"""Turns conditions into what the database is asked, with every name checked or bound and every value bound."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from piccolo.columns import JSON, Column
from piccolo.columns.combination import WhereRaw
from piccolo.custom_types import Combinable
from piccolo.querystring import QueryString

from app.core.errors import ValidationError
from app.core.matching import like_pattern
from app.data_tables.schemas import MOST_ROWS, Condition, Operator

FIELDS: Final = '"fields"'
EMPTY_VALUES = ["null", '""', "[]", "{}"]
ORDERED: Mapping[Operator, str] = {"greater_than": ">", "less_than": "<", "at_least": ">=", "at_most": "<="}
OF_JSON: frozenset[Operator] = frozenset({"contains", "is_empty", "is_not_empty"})


def on_column(column: Column, condition: Condition, place: str) -> Combinable:
    """Ask a condition of a declared column; raises ValidationError for a value or operator that does not fit it."""
    if isinstance(column, JSON):
        return _on_json_column(column, condition, place)
    operator, value = condition.operator, condition.value
    if operator in {"is_empty", "is_not_empty"}:
        return _nothing(column) if operator == "is_empty" else WhereRaw("NOT {}", _nothing(column).querystring)
    if operator == "in":
        return WhereRaw("{} = ANY({})", column, [_fit(column, one, place) for one in _listed(value, place)])
    if operator == "contains":
        if column.value_type is not str:
            raise ValidationError.of(place, f"{condition.column} holds no text, so nothing is contained in it")
        return WhereRaw("{} ILIKE {}", column, f"%{like_pattern(_text(value, place))}%")
    fitted = _fit(column, value, place)
    if operator == "not_equals":
        return WhereRaw("{} IS DISTINCT FROM {}", column, fitted)
    return WhereRaw(f"{{}} {ORDERED.get(operator, '=')} {{}}", column, fitted)


def on_field(condition: Condition, place: str) -> Combinable:
    """Ask a condition of a field of a user's own row; values are compared as JSON, so 5 is not "5"."""
    return _ON_FIELD[condition.operator](condition.column, condition.value, place)


def by_field(name: str) -> tuple[QueryString, QueryString]:
    """Return what orders by a field of a user's own row: whether it lacks it, and its value.

    Texts come before numbers, and numbers before booleans.
    """
    return QueryString(f"({FIELDS} -> {{}}::text) IS NULL", name), QueryString(f"{FIELDS} -> {{}}::text", name)


def _nothing(column: Column) -> WhereRaw:
    if column.value_type is str:
        return WhereRaw("({} IS NULL OR {} = '')", column, column)
    return WhereRaw("({} IS NULL)", column)


def _on_json_column(column: Column, condition: Condition, place: str) -> Combinable:
    if condition.operator not in OF_JSON:
        message = f"{condition.column} holds an array or object, which only {', '.join(sorted(OF_JSON))} can be asked"
        raise ValidationError.of(place, message)
    if condition.operator == "contains":
        whole = condition.value if isinstance(condition.value, Mapping | list) else [condition.value]
        return WhereRaw("{} @> {}::jsonb", column, _json(whole))
    negation = "" if condition.operator == "is_empty" else "NOT "
    return WhereRaw(f"{negation}({{}} IS NULL OR {{}} = ANY({{}}::jsonb[]))", column, column, EMPTY_VALUES)


def _equals(name: str, value: Any, place: str) -> Combinable:
    del place
    if isinstance(value, Mapping | list):
        return WhereRaw(f"{FIELDS} -> {{}}::text = {{}}::jsonb", name, _json(value))
    return WhereRaw(f"{FIELDS} @> {{}}::jsonb", _json({name: value}))


def _not_equals(name: str, value: Any, place: str) -> Combinable:
    del place
    return WhereRaw(f"{FIELDS} -> {{}}::text IS DISTINCT FROM {{}}::jsonb", name, _json(value))


def _ordered(sign: str) -> Callable[[str, Any, str], Combinable]:
    def ask(name: str, value: Any, place: str) -> Combinable:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValidationError.of(place, "only numbers and texts have an order; give one of them as value")
        kind = "string" if isinstance(value, str) else "number"
        field = f"{FIELDS} -> {{}}::text"
        return WhereRaw(
            f"(jsonb_typeof({field}) = {{}} AND {field} {sign} {{}}::jsonb)", name, kind, name, _json(value)
        )

    return ask


def _contains(name: str, value: Any, place: str) -> Combinable:
    del place
    field, entry = f"{FIELDS} -> {{}}::text", _json([value])
    if not isinstance(value, str):
        return WhereRaw(f"{field} @> {{}}::jsonb", name, entry)
    text = f"(jsonb_typeof({field}) = 'string' AND {FIELDS} ->> {{}}::text ILIKE {{}})"
    return WhereRaw(f"({text} OR {field} @> {{}}::jsonb)", name, name, f"%{like_pattern(value)}%", name, entry)


def _in(name: str, value: Any, place: str) -> Combinable:
    values = [_json(one) for one in _listed(value, place)]
    return WhereRaw(f"{FIELDS} -> {{}}::text = ANY({{}}::jsonb[])", name, values)


def _is_empty(name: str, value: Any, place: str) -> Combinable:
    del value, place
    field = f"{FIELDS} -> {{}}::text"
    return WhereRaw(f"({field} IS NULL OR {field} = ANY({{}}::jsonb[]))", name, name, EMPTY_VALUES)


def _is_not_empty(name: str, value: Any, place: str) -> Combinable:
    del value, place
    return WhereRaw(f"NOT {FIELDS} -> {{}}::text = ANY({{}}::jsonb[])", name, EMPTY_VALUES)


def fit(value: Any, kind: type[Any]) -> Any:
    """Read a value as what a column holds; raises msgspec.ValidationError."""
    if kind is str and isinstance(value, int | float | UUID) and not isinstance(value, bool):
        return str(value)
    return value if kind is UUID and isinstance(value, UUID) else msgspec.convert(value, kind, strict=False)


def _fit(column: Column, value: Any, place: str) -> Any:
    try:
        return fit(value, column.value_type)
    except msgspec.ValidationError as error:
        hint = " Ask with is_empty whether there is a value." if value is None else ""
        raise ValidationError.of(place, f"the value does not fit the column: {error}.{hint}") from error


def _listed(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValidationError.of(place, "in needs an array of values")
    if len(value) > MOST_ROWS:
        raise ValidationError.of(place, f"in takes at most {MOST_ROWS} values, and these are {len(value)}")
    return list(value)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ValidationError.of(place, "contains needs a text as value")
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_ON_FIELD: Mapping[Operator, Callable[[str, Any, str], Combinable]] = {
    "equals": _equals,
    "not_equals": _not_equals,
    "contains": _contains,
    "in": _in,
    "is_empty": _is_empty,
    "is_not_empty": _is_not_empty,
    **{operator: _ordered(sign) for operator, sign in ORDERED.items()},
}
