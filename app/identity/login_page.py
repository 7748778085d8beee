"""The login page for browsers: one form, nothing loaded from anywhere."""

import re
from html import escape
from importlib.resources import files
from string import Template

HOME = "/schema"
OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'"


def own_path(wanted: str | None) -> str:
    """Return where to go after the login: a path of this server, whatever was asked for."""
    return wanted if wanted and OWN_PATH.fullmatch(wanted) else HOME


def render_login_page(*, next_path: str, message: str = "") -> str:
    """Return the page's HTML, with what went wrong the last time."""
    page = Template((files("app.identity") / "pages" / "login.html").read_text(encoding="utf-8"))
    notice = f'<p role="alert">{escape(message)}</p>' if message else ""
    return page.substitute(next=escape(next_path, quote=True), notice=notice)
