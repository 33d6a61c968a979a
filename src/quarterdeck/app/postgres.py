"""The process that owns the embedded PostgreSQL: starts it, watches it, stops it.

It is a process of its own because starting the server blocks, for minutes after a bad crash, and
because the server ends with the thread that started it. Others find the server by a file.
"""

import signal
from typing import Final

from quarterdeck.app.places import Places, write_private
from quarterdeck.app.settings import Settings
from quarterdeck.store.embedded import EmbeddedPostgres

LOOK_S: Final = 0.5


def serve_postgres(settings: Settings) -> bool:
    """Run the server until SIGTERM or SIGINT; False when it ended by itself.

    Raises:
        ClusterError: if its data folder cannot be used.
        EmbeddedError: if it does not come up.
    """
    places = Places(data_dir=settings.desk.data_dir)
    places.make()
    server = EmbeddedPostgres(places.postgres)
    dsn = server.start()
    # Blocked only now: a signal before this ends us, and the server with us.
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    write_private(places.dsn_file, dsn + "\n")
    try:
        while signal.sigtimedwait(ending, LOOK_S) is None:
            if not server.alive():
                return False
        return True
    finally:
        places.dsn_file.unlink(missing_ok=True)
        server.stop()
