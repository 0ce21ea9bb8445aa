"""How uvicorn is set up, for the development server and for production alike."""

from __future__ import annotations

import copy
import logging
import socket
from typing import Any, Final

import uvicorn
from django.conf import settings
from uvicorn.config import LOGGING_CONFIG

# A stop waits this long for requests under way; container platforms kill after 10 seconds.
GRACE_SECONDS: Final = 5
# A worker that runs a long call into C can't answer the supervisor meanwhile, and would be killed for it.
WORKER_SILENCE_SECONDS: Final = 30


class WithoutQuery(logging.Filter):
    """Cuts the query string off logged request targets: it may hold an API key."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; every record passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_without_query, record.args))
        return True


def _without_query(value: object) -> object:
    return value.partition("?")[0] if isinstance(value, str) and value.startswith("/") else value


def _log_config() -> dict[str, Any]:
    log_config = copy.deepcopy(LOGGING_CONFIG)
    log_config["filters"] = {"without_query": {"()": f"{__name__}.{WithoutQuery.__name__}"}}
    for handler in log_config["handlers"].values():
        handler["filters"] = ["without_query"]
    return log_config


def configure(app: Any, *, workers: int = 1, access_log: bool = False, tls: Any = None) -> uvicorn.Config:
    """Return uvicorn's configuration for an ASGI application or, for several workers, its import path.

    `tls` makes the context of HTTPS in each process.
    """
    return uvicorn.Config(
        app,
        workers=workers,
        lifespan="on",
        log_config=_log_config(),
        access_log=access_log,
        server_header=False,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=WORKER_SILENCE_SECONDS,
        ssl_context_factory=tls,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError in one line that says what to do."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise OSError(f"Can't listen on {host} port {port}: {reason}. Choose another with --host and --port.") from None
