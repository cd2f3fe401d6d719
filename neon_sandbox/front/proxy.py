"""Listens on one port of 127.0.0.1 for all endpoints; a thread for each connection."""

from __future__ import annotations

import hashlib
import logging
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from neon_sandbox.cluster import LOOPBACK
from neon_sandbox.front.certificate import ensure_certificate
from neon_sandbox.front.computes import Computes
from neon_sandbox.front.protocol import ClientGone
from neon_sandbox.front.session import Cancels, Session, Tls
from neon_sandbox.plane import Plane

log = logging.getLogger(__name__)


class Proxy:
    def __init__(self, plane: Plane, state_dir: Path, *, port: int = 0) -> None:
        """Port 0: the one that it had last time, if it is free. Raises OSError when a chosen port is taken."""
        self._tls = _tls(state_dir / "proxy.pem")
        self._computes = Computes(plane)
        self._cancels = Cancels()
        self._open: set[Session] = set()
        self._lock = threading.Lock()
        self._listener = _listener(port, state_dir / "proxy_port")
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def tidy(self) -> None:
        """Throws away what showed the past and is no longer used."""
        self._computes.past.tidy()

    def stop(self) -> None:
        """Stops listening and cuts every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            for session in self._open:
                session.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(raw, self._tls, self._computes, self._cancels)
            with self._lock:
                self._open.add(session)
            threading.Thread(target=self._serve, args=[session], name="proxied", daemon=True).start()

    def _serve(self, session: Session) -> None:
        try:
            session.serve()
        except (ClientGone, OSError):  # among them every error of TLS; there is nobody to answer
            pass
        except Exception:
            log.exception("a proxied connection failed")
        finally:
            session.close()
            with self._lock:
                self._open.discard(session)


def _listener(port: int, kept: Path) -> socket.socket:
    """Hosts name the port, so that it stays the same as long as nobody else takes it."""
    before = int(kept.read_text()) if kept.exists() else 0
    try:
        made = socket.create_server((LOOPBACK, port or before), backlog=128)
    except OSError:
        if port:
            raise
        made = socket.create_server((LOOPBACK, 0), backlog=128)
    kept.write_text(str(made.getsockname()[1]))
    return made


def _tls(certificate: Path) -> Tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ensure_certificate(certificate))
    context.sni_callback = _remember_name
    shown = certificate.read_text()
    encoded = shown[shown.index("-----BEGIN CERTIFICATE") :]
    return Tls(context, hashlib.sha256(ssl.PEM_cert_to_DER_cert(encoded)).digest())


def _remember_name(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
    connection.wanted_host = name  # type: ignore[attr-defined]
