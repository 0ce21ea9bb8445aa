"""Django's WSGI handler. `project.asgi` runs it in threads; serve that one, it has live feeds too."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()
