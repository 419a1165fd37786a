"""What asyncpg does: binary results, named statements that are closed, cursors by portal, COPY, LISTEN."""

import asyncio
import os

import asyncpg


async def main():
    connection = await asyncpg.connect(user="app", database="app", host="127.0.0.1", port=os.environ["PGPORT"], ssl=False, statement_cache_size=1)
    assert await connection.fetchval("select name from item where id = $1", 1) == "tea"
    statement = await connection.prepare("select id, name, price from item where id > $1 order by id")
    for number in (0, 1):
        await statement.fetch(number)
    async with connection.transaction():
        cursor = await connection.cursor("select generate_series(1, 5)")
        await cursor.fetch(2)
        await cursor.fetch(2)
    await connection.executemany("select $1::int + 1", [(1,), (2,), (3,)])
    try:
        await connection.fetch("select 1 / $1::int", 0)
    except asyncpg.DivisionByZeroError:
        pass
    transaction = connection.transaction()
    await transaction.start()
    await connection.copy_records_to_table("item", records=[(20, "twenty", 20)])
    await transaction.rollback()
    heard = asyncio.Event()
    await connection.add_listener("news", lambda *_: heard.set())
    await connection.execute("notify news, 'extra'")
    await heard.wait()
    await connection.reset()
    await connection.close()


asyncio.run(main())
