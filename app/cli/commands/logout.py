"""`opsconductor logout`: the end of the session that login keeps."""

from contextlib import suppress

import click

from app.cli.addresses import login_file, service_url
from app.cli.client import Api
from app.cli.logins import LoginFile
from app.cli.output import json_option, print_json, say
from app.core.errors import AuthenticationError


@click.command()
@json_option
def logout(*, as_json: bool) -> None:
    """End the session that login keeps.

    It ends at the service and here.
    """
    url = service_url()
    logins = LoginFile(login_file())
    known = logins.read(url)
    if known is not None:
        with Api(url) as api, suppress(AuthenticationError):  # it has ended already
            api.post("/identity/v1/auth/logout")
        logins.forget(url)
    if as_json:
        print_json({"url": url, "logged_out": known is not None})
    else:
        say(f"Logged out of {url}." if known else f"You were not logged in to {url}.")
