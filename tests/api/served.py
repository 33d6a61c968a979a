"""The API on a real socket, in the loop of the test."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from quarterdeck.api.bind import Bind
from quarterdeck.api.serve import serve


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[int]:
    """Serve on a free port; yields it."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    bind = Bind(host="127.0.0.1", port=0)
    task = asyncio.create_task(serve(app, bind, has_keys=True, on_ready=ready.set_result))
    yield await ready
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
