"""`opsconductor api`: the API alone."""

import logging
import ssl

import click

from app.cli.children import end_with_parent
from app.cli.local import surroundings, with_database
from app.cli.output import json_option
from app.cli.ports import inherit_or_listen
from app.core import migrations
from app.core.errors import ConfigurationError
from app.core.logging import configure_logging, get_logger
from app.core.settings import Settings, load_settings

log = get_logger(__name__)
DRAIN_S = 5
"""How long open requests, event streams among them, may go on after the signal to stop."""


@click.command()
@json_option
def api(*, as_json: bool) -> None:
    """Serve the API.

    It listens on API_HOST and API_PORT, over TLS where API_TLS_CERT and API_TLS_KEY are set.

    PostgreSQL, Redis and both keys must be there; `opsconductor up` brings its own. With --json the log is JSON.
    """
    end_with_parent()
    early = load_settings()
    with inherit_or_listen(early.api_host, early.api_port) as listener, surroundings(redis=True) as settings:
        configure_logging(settings.log_level, "json" if as_json else settings.log_format)
        check_tls(settings)
        settings.require_redis()
        settings.require_keyring()
        with_database(settings, migrations.require_current, current=False)

        import uvicorn  # noqa: PLC0415 — slow to import, and only of use when all of the above went well

        from app.main import create_app  # noqa: PLC0415 — as above

        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        log.info("api serves", address=settings.api_host, port=settings.api_port)
        config = uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=settings.api_tls_cert,
            ssl_keyfile=settings.api_tls_key,
            timeout_graceful_shutdown=DRAIN_S,
        )
        uvicorn.Server(config).run(sockets=[listener])


def check_tls(settings: Settings) -> None:
    """Raise ConfigurationError unless there is neither certificate nor key, or both, and they fit."""
    cert, key = settings.api_tls_cert, settings.api_tls_key
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise ConfigurationError("API_TLS_CERT and API_TLS_KEY belong together. Set both, or neither.")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"API_TLS_CERT {cert} and API_TLS_KEY {key} cannot be used: {error}. They must be PEM files that fit."
        ) from error
