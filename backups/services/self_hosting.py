"""The portal must not keep its own memory in a project that it manages: a restore would take that memory back."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from backups.models import Project
from backups.neon.secret import Secret

SENTENCE = (
    "The portal's own database lies in the Neon project {project}, which the portal manages. A restore there would "
    "take back the record of the restore itself. Move the portal's database out of this project (docs/deploy.md)."
)


def address_of(uri: Secret) -> str:
    """The host of a connection string in the form that is kept and compared, with the port where hosts share one."""
    parts = urlsplit(uri.reveal())
    return normal_address(parts.hostname or "", parts.port or 5432)


def normal_address(host: str, port: int) -> str:
    """Neon's pooled and direct host are one endpoint. On this machine endpoints differ by port only."""
    name, _, domain = host.lower().rstrip(".").partition(".")
    plain = f"{name.removesuffix('-pooler')}.{domain}" if domain else name
    return f"{host}:{port}" if _is_loopback(host) else plain


def portal_addresses() -> frozenset[str]:
    """Where the portal's own database is, by its settings."""
    config = connection.settings_dict
    ports = str(config.get("PORT") or 5432).split(",")
    hosts = str(config.get("HOST") or "localhost").split(",")
    return frozenset(normal_address(host, int(ports[min(number, len(ports) - 1)])) for number, host in enumerate(hosts))


def portal_lies_in(*, neon_project_id: str, addresses: frozenset[str]) -> bool:
    """True when one of these addresses is the portal's own, or its server says that it belongs to the project."""
    return bool(portal_addresses() & addresses) or _project_of_own_server() == neon_project_id


def project_holding_the_portal() -> str:
    """The name of a managed project that holds the portal's database; empty when there is none or it can't be asked."""
    try:
        for project in Project.objects.all():
            known = frozenset(project.connect_report.get("addresses", []))
            if portal_lies_in(neon_project_id=project.neon_project_id, addresses=known):
                return project.name
    except DatabaseError:
        return ""
    return ""


def refuse_to_start_inside_a_managed_project() -> None:
    """Raises ImproperlyConfigured. Silent when the database does not answer: then nothing can be restored either."""
    name = project_holding_the_portal()
    if name:
        raise ImproperlyConfigured(f"{SENTENCE.format(project=name)} Nothing was started.")


def _project_of_own_server() -> str:
    """Neon's computes carry their project's id as a setting; other servers have no such setting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('neon.project_id', true)")
        row = cursor.fetchone()
    return str(row[0]) if row and row[0] else ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
