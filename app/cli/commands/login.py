"""`opsconductor login`: a session with the service, kept for the commands that follow."""

import sys

import click

from app.cli.addresses import login_file, service_url
from app.cli.client import Api, login_from
from app.cli.logins import GivenToken, LoginFile
from app.cli.output import json_option, print_json, say


@click.command()
@click.option("--username", help="Who logs in; asked for unless given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of asking for it.")
@json_option
def login(*, username: str | None, password_stdin: bool, as_json: bool) -> None:
    """Log in to the service and keep the session.

    Its tokens go into a file that only you can read, and are renewed by themselves for seven days after each use.
    """
    url = service_url()
    username = username or click.prompt("Username", err=True)
    password = (
        sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True, err=True)
    )
    with Api(url, GivenToken()) as api:
        opened = login_from(username, api.post("/identity/v1/auth/login", {"username": username, "password": password}))
    with Api(url, GivenToken(opened.access_token)) as api:
        me = api.get("/identity/v1/auth/me")
    LoginFile(login_file()).keep(url, opened)
    if as_json:
        print_json({"url": url, "username": me["username"], "roles": me["roles"]})
    else:
        say(f"Logged in to {url} as {me['username']} ({', '.join(me['roles']) or 'no roles'}).")
