"""The desk process ends rather than go on with a memory that may be wrong."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

RUN = """
import asyncio, uvloop
from quarterdeck.app import live

async def work():
    {body}

async def main():
    asyncio.get_running_loop().set_exception_handler(live._on_loop_exception)
    {how}
    await asyncio.sleep(0.2)

uvloop.run(main())
"""
AS_TASK = "task = asyncio.ensure_future(work()); task.add_done_callback(lambda _: None); del task"
AS_CALLBACK = "asyncio.get_running_loop().call_soon(lambda: {body})"


@pytest.mark.parametrize(
    ("how", "body", "code"),
    [
        (AS_TASK, "pass", 0),
        (AS_TASK, "raise ValueError('a bug')", 70),
        (AS_TASK, "raise OSError('nobody caught it')", 70),
        (AS_CALLBACK, "1", 0),
        (AS_CALLBACK, "1 / 0", 70),
    ],
)
def test_an_exception_that_nobody_caught_ends_the_process(how, body, code):
    text = RUN.format(body=body, how=how.format(body=body))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
