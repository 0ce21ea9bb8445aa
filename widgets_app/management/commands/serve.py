"""The production server."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import Any

import uvicorn
from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from uvicorn.supervisors import Multiprocess

from project import tls
from project.server import configure, listen
from widgets_app.errors import one_line
from widgets_app.management.base import OneLineCommand, number_between

# By name: every worker imports it for itself.
APPLICATION = "project.asgi:application"


class Command(OneLineCommand):
    """Checks that the project can be served, then serves it until it is told to stop."""

    help = "Serves the backend in production, HTTP and live feeds on one port."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the address and the number of worker processes."""
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (%(default)s)")
        parser.add_argument("--port", type=_port, default=settings.PORT, help="port to listen on (%(default)s)")
        parser.add_argument("--workers", type=_workers, default=1, help="worker processes (%(default)s)")
        tls.add_arguments(parser)

    def handle(self, *args: Any, host: str, port: int, workers: int, **options: Any) -> None:
        """Serve; raises CommandError, in one line, for what would keep the server from working."""
        self._check_database()
        # Listening first: how to trust a new authority is told once, so nothing may fail between making it and telling.
        with suppress(KeyboardInterrupt), listen(host, port) as listener:
            pair = tls.pair_of(host, options)
            name, scheme = f"[{host}]" if ":" in host else host, "https" if pair else "http"
            self.stdout.write(f"Serving on {scheme}://{name}:{port}/ with {workers} worker process(es).")
            if pair:
                self.stdout.write(tls.about(pair))
            config = configure(APPLICATION, workers=workers, tls=tls.context_of(pair, host))
            if workers > 1:
                Multiprocess(config, sockets=[listener]).run()
            else:
                uvicorn.Server(config).run(sockets=[listener])

    def _check_database(self) -> None:
        try:
            self._check_migrated()
            self.check(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS])
        except DatabaseError as error:
            # Requests are told to come back, and are served as soon as the database is there.
            self.stderr.write(one_line(f"The database can't be reached yet: {error}"))
        finally:
            connection.close()

    def _check_migrated(self) -> None:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if missing:
            raise CommandError(f"The database lacks {missing} migration(s). Run: manage.py migrate")


def _port(text: str) -> int:
    return number_between(text, 1, 65_535)


def _workers(text: str) -> int:
    return number_between(text, 1, 256)
