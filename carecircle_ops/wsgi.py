"""WSGI entry point: ``gunicorn carecircle_ops.wsgi``."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "carecircle_ops.settings")

application = get_wsgi_application()

# All below needs the set-up above.
from django.db import connections  # noqa: E402

from backups.services.database_roles import say_at_start_what_is_unguarded  # noqa: E402
from backups.services.self_hosting import refuse_to_start_inside_a_managed_project  # noqa: E402

refuse_to_start_inside_a_managed_project()
say_at_start_what_is_unguarded()
# A server that loads the application before it forks must not share this connection among its children.
connections.close_all()
