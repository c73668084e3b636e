"""Apache Superset behind gunicorn: one worker as its own start script sets it, SQLite, the list of databases."""

from __future__ import annotations

from pathlib import Path

from benchmarks import servers
from benchmarks.peers import peer
from benchmarks.peers.peer import PASSWORD, Peer

NAME = "Superset"
LOCK = "superset"
CONFIG = """\
from datetime import timedelta

SECRET_KEY = "only-for-the-measurement-of-this-machine"
RATELIMIT_ENABLED = False
JWT_ACCESS_TOKEN_EXPIRES = timedelta(days=1)
"""
WORKER = ("--workers", "1", "--worker-class", "gthread", "--threads", "20", "--timeout", "60")
"""A thread for each of the clients, and connections that stay open; gunicorn's default closes them."""
ADMIN = ("--firstname", "A", "--lastname", "B", "--email", "admin@example.com")
FILL = """\
import sys
from superset.app import create_app

with create_app().app_context():
    from superset import db
    from superset.models.core import Database

    for place in range(int(sys.argv[1])):
        stored = Database(database_name=f"Warehouse {place:02d}")
        stored.set_sqlalchemy_uri("postgresql://reader:secret@db.example.com:5432/analytics")
        db.session.add(stored)
    db.session.commit()
"""


def prepare(environment: Path, home: Path, number: int) -> Peer:
    """Make an admin, and store so many databases."""
    config = home / "superset_config.py"
    config.write_text(CONFIG)
    environ = peer.environ(home, SUPERSET_CONFIG_PATH=str(config), SUPERSET_HOME=str(home))
    programs = environment / "bin"
    run = [str(programs / "superset")]
    peer.run([*run, "db", "upgrade"], home, environ)
    peer.run([*run, "fab", "create-admin", "--username", "admin", "--password", PASSWORD, *ADMIN], home, environ)
    peer.run([*run, "init"], home, environ)
    peer.run([programs / "python", "-c", FILL, str(number)], home, environ)

    def start() -> servers.Starting:
        port = servers.free_port()
        command = [str(programs / "gunicorn"), "--bind", f"127.0.0.1:{port}", *WORKER, "superset.app:create_app()"]
        return servers.started(command, port, environ, home, seconds=peer.START_SECONDS)

    path = f"/api/v1/database/?q=(page_size:{number})"
    return Peer(NAME, start, _token, path, lambda answer: len(answer["result"]))


def _token(port: int) -> str:
    login = {"username": "admin", "password": PASSWORD, "provider": "db"}
    return peer.post(port, "/api/v1/security/login", login)["access_token"]
