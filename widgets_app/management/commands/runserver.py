"""Django's development server, on the ASGI application that production runs."""

from __future__ import annotations

import os
import socketserver
from typing import Any, cast

import uvicorn
from django.conf import settings
from django.contrib.staticfiles.management.commands import runserver
from django.core.management.base import CommandParser
from django.core.servers.basehttp import WSGIServer
from django.db import DatabaseError
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from project import tls
from project.asgi import Dispatcher
from project.bridge import THREADS, WSGIApp
from project.server import configure
from widgets_app.errors import one_line


class Server(WSGIServer):
    """Binds as Django's own server does, so that Django tells about a port in use; then uvicorn serves."""

    # What makes the context of HTTPS, if it is served.
    tls: Any = None

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until the process ends."""
        threads = THREADS if isinstance(self, socketserver.ThreadingMixIn) else 1
        app = Dispatcher(cast("WSGIApp", self.get_app()), threads=threads)
        uvicorn.Server(configure(app, access_log=True, tls=self.tls)).run(sockets=[self.socket])


class Command(runserver.Command):
    """`runserver`, with live feeds and with the address of the settings."""

    default_addr = settings.HOST
    default_port = str(settings.PORT)
    server_cls = Server
    # Set by Django before `inner_run`.
    addr: str

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what decides about HTTPS, too."""
        super().add_arguments(parser)
        tls.add_arguments(parser)

    def run(self, **options: Any) -> None:
        """Serve; the certificate is made first, and told about once: not each time the code has changed."""
        if pair := tls.pair_of(self.addr, options):
            self.protocol = "https"
            Server.tls = tls.context_of(pair, self.addr)
            if os.environ.get(DJANGO_AUTORELOAD_ENV) != "true":
                self.stdout.write(tls.about(pair))
        super().run(**options)

    def check_migrations(self) -> None:
        """Say that migrations are missing; without its database the server starts all the same."""
        try:
            super().check_migrations()
        except DatabaseError as error:
            self.stderr.write(one_line(f"The database can't be reached yet: {error}"))
