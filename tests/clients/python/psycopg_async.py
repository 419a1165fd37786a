"""psycopg 3 under asyncio: tasks that share one connection or many, cancelled tasks, notifications."""

import asyncio

import psycopg
from psycopg import errors

from checks import check, fails_async, pause_async, same


async def connected(**options):
    """An autocommit connection."""
    return await psycopg.AsyncConnection.connect(autocommit=True, **options)


async def one(conn, query, params=None):
    """The only value of a query."""
    return (await (await conn.execute(query, params)).fetchone())[0]


@check
async def a_cancelled_task_cancels_its_query():
    async with await connected() as conn:
        for _ in range(3):
            await fails_async(asyncio.TimeoutError, asyncio.wait_for(conn.execute("SELECT pg_sleep(20)"), 0.1))
            same(await one(conn, "SELECT 'next'"), "next")


@check
async def tasks_take_turns_on_one_connection():
    async with await connected() as conn:
        values = await asyncio.gather(*(one(conn, "SELECT %s::int4", [n]) for n in range(100)))
        same(values, list(range(100)))


@check
async def tasks_share_a_pipeline():
    async with await connected() as conn, conn.pipeline():
        for _ in range(10):
            values = await asyncio.gather(*(one(conn, "SELECT %s::int4 * 3", [n]) for n in range(30)))
            same(values, [n * 3 for n in range(30)])
            await pause_async()


@check
async def notifications_wake_a_waiting_task():
    async with await connected() as listener, await connected() as sender:
        await listener.execute("LISTEN wake")

        async def heard():
            return [notify.payload async for notify in listener.notifies(timeout=10, stop_after=3)]

        task = asyncio.create_task(heard())
        for n in range(3):
            await asyncio.sleep(0.05)
            await sender.execute("SELECT pg_notify('wake', %s)", [str(n)])
        same(await task, ["0", "1", "2"])


@check
async def forty_tasks_with_connections_of_their_own():
    async def work(number):
        async with await connected(options=f"-c work_mem={1100 + number}kB") as conn:
            for n in range(15):
                same(await one(conn, "SELECT current_setting('work_mem') || %s", [str(n)]), f"{1100 + number}kB{n}")
                async with conn.transaction():
                    await conn.execute("CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT %s::int4 AS n", [number])
                    same(await one(conn, "SELECT n FROM scratch"), number)
                await fails_async(errors.UndefinedTable, conn.execute("SELECT n FROM scratch"))

    await asyncio.gather(*(work(number) for number in range(40)))
