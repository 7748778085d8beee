"""`opsconductor user`: users made and listed on the server itself, where no login is needed."""

import sys
from typing import Any

import click
import msgspec

from app.cli.local import surroundings, with_database
from app.cli.output import json_option, print_json, print_table, say
from app.core.errors import ValidationError
from app.core.paging import MAX_LIMIT, PageRequest
from app.core.settings import read_environment
from app.identity import service
from app.identity.passwords import check_password
from app.identity.schemas import UserCreate, UserRead

PASSWORD_VARIABLE = "OPSCONDUCTOR_ADMIN_PASSWORD"  # noqa: S105 — the variable's name


@click.group()
def user() -> None:
    """Create and list users, on the server itself."""


@user.command("create-admin")
@click.option("--username", required=True, help="What the administrator logs in with.")
@click.option("--email", default="", help="The administrator's e-mail address.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@json_option
def create_admin(*, username: str, email: str, password_stdin: bool, as_json: bool) -> None:
    """Create an administrator who may do everything.

    The password is asked for, unless OPSCONDUCTOR_ADMIN_PASSWORD or stdin brings it.
    """
    _check_names(username, email)
    with surroundings() as settings:
        settings.require_postgres()
        password = _password(from_stdin=password_stdin)
        check_password(password)
        made = with_database(settings, lambda: service.create_admin(username, password, email))
    if as_json:
        print_json(UserRead.of(made))
    else:
        say(f"The administrator {made['username']} is created. Log in with `opsconductor login`.")


@user.command("list")
@json_option
def list_users(*, as_json: bool) -> None:
    """List the users."""
    with surroundings() as settings:
        users = with_database(settings, _all_users)
    if as_json:
        print_json(users)
        return
    print_table(
        ("username", "email", "status", "roles", "last login"),
        [(one.username, one.email, one.status, one.roles, one.last_login_at) for one in users],
    )


async def _all_users() -> list[UserRead]:
    found: list[UserRead] = []
    request = PageRequest(limit=MAX_LIMIT)
    while True:
        page = await service.list_users(request)
        found += [UserRead.of(row) for row in page.items]
        if page.next is None:
            return found
        request = PageRequest(limit=MAX_LIMIT, after=page.next)


def _check_names(username: str, email: str) -> None:
    fields: dict[str, Any] = {"username": username, "email": email}
    for name, value in fields.items():
        try:
            msgspec.convert({"username": "x", "password": "x" * 12, name: value}, UserCreate)
        except msgspec.ValidationError as error:
            raise ValidationError.of(name, f"{value!r} cannot be one ({str(error).partition(' - at')[0]})") from error


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = read_environment().get(PASSWORD_VARIABLE)
    if given:
        return given
    prompted: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return prompted
