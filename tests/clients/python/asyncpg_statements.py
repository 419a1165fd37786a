"""asyncpg: types in binary, prepared statements, cursors, executemany, COPY, cancelling."""

import asyncio
import datetime as dt
import io
import ipaddress
import json
import uuid
from decimal import Decimal

import asyncpg

from asyncpg_client import connected
from checks import check, fails_async, pause_async, same, served_by

VALUES = {
    "int2": [0, 32767, -32768],
    "int4": [-1, 2147483647],
    "int8": [9223372036854775807, -9223372036854775808],
    "float4": [0.5, -1024.25],
    "float8": [1.1, -1e300],
    "numeric": [Decimal("0"), Decimal("-12345678901234567890.0123456789")],
    "text": ["", "ünïcödé € 🐘", "quote ' \" \\ \n", "x" * 70000],
    "bytea": [b"", bytes(range(256)) * 50],
    "bool": [True, False],
    "date": [dt.date(2024, 2, 29), dt.date(1, 1, 1)],
    "time": [dt.time(23, 59, 59, 999999)],
    "timestamp": [dt.datetime(2024, 2, 29, 12, 0, 0, 123456)],
    "timestamptz": [dt.datetime(2024, 6, 1, 12, 0, 0, 5, tzinfo=dt.timezone.utc)],
    "interval": [dt.timedelta(days=400, hours=3, microseconds=7)],
    "uuid": [uuid.UUID("12345678-1234-5678-1234-567812345678")],
    "inet": [ipaddress.ip_address("10.1.2.3"), ipaddress.ip_interface("fe80::1/64")],
    "cidr": [ipaddress.ip_network("10.0.0.0/8")],
    "json": ['{"ä": [1, null]}'],
    "jsonb": ['{"ä": [1, null]}'],
    "int4[]": [[1, 2, None], [], [[1, 2], [3, 4]]],
    "text[]": [["a", "b,c", 'd"e', "", None]],
    "bit": [asyncpg.BitString("1")],
    "point": [asyncpg.Point(1.5, -2)],
    "int4range": [asyncpg.Range(1, 10), asyncpg.Range(empty=True)],
}


@check
async def values_round_trip_in_binary():
    async with connected() as conn:
        for name, values in VALUES.items():
            for value in [*values, None]:
                query = f"SELECT $1::{name} AS v, pg_typeof($1) = '{name}'::regtype AS t"
                same(tuple(await conn.fetchrow(query, value)), (value, True), name)


@check
async def types_of_the_application_are_looked_up():
    async with connected() as conn:
        await conn.execute("DROP TYPE IF EXISTS a_thing, a_mood; DROP DOMAIN IF EXISTS a_small")
        await conn.execute("CREATE TYPE a_mood AS ENUM ('sad', 'häppy'); CREATE DOMAIN a_small AS int CHECK (VALUE < 10)")
        await conn.execute("CREATE TYPE a_thing AS (name text, n a_small, moods a_mood[])")
        for _ in range(5):
            row = await conn.fetchrow("SELECT $1::a_thing AS thing, $2::a_thing[] AS things", ("x", 3, ["sad"]), [("y", 4, None)])
            same(tuple(row["thing"]), ("x", 3, ["sad"]))
            same([tuple(thing) for thing in row["things"]], [("y", 4, None)])
            same(await conn.fetchval("SELECT $1::a_mood", "häppy"), "häppy")
            await pause_async()
        encode, decode = json.dumps, json.loads
        await conn.set_type_codec("jsonb", encoder=encode, decoder=decode, schema="pg_catalog")
        same(await conn.fetchval("SELECT $1::jsonb || '{\"b\": 2}'", {"a": "ü"}), {"a": "ü", "b": 2})
        await conn.set_type_codec("numeric", encoder=str, decoder=float, schema="pg_catalog", format="text")
        same(await conn.fetchval("SELECT $1::numeric / 4", 5), 1.25)
        await conn.execute("DROP TYPE a_thing; CREATE TYPE a_thing AS (other int)")
        await conn.reload_schema_state()
        same(tuple(await conn.fetchval("SELECT $1::a_thing", (8,))), (8,))


@check
async def a_prepared_statement_is_reused_on_every_server():
    async with connected() as conn:
        statement = await conn.prepare("SELECT pg_backend_pid(), $1::int8 * 2")
        seen = set()
        for n in range(200):
            pid, value = await statement.fetchrow(n)
            same(value, n * 2)
            seen.add(pid)
            await pause_async()
        served_by(seen)
        same([attribute.name for attribute in statement.get_attributes()], ["pg_backend_pid", "?column?"])
        same([parameter.name for parameter in statement.get_parameters()], ["int8"])
        same((await statement.explain(1))[0]["Plan"]["Node Type"], "Result")


@check
async def more_statements_than_a_server_keeps_stay_prepared():
    async with connected(statement_cache_size=500) as conn:
        for _ in range(3):
            for n in range(120):
                same(await conn.fetchval(f"SELECT $1::text || '{n}'", f"x{n}."), f"x{n}.{n}")


@check
async def evicted_statements_are_closed_and_prepared_again():
    async with connected(statement_cache_size=3) as conn:
        for n in [*range(10), *range(10), 9, 9, 0, 8, 0]:
            same(await conn.fetchval(f"SELECT $1::int4 + {n}", 1), n + 1)
            await pause_async()
    async with connected(statement_cache_size=0) as conn:  # nothing but the unnamed statement
        for n in range(20):
            same(await conn.fetchval("SELECT $1::int4", n), n)
            await pause_async()


@check
async def statements_survive_a_change_of_their_table():
    async with connected() as conn, connected() as owner:
        await conn.execute("DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)")
        for n in range(5):
            for _ in range(5):
                same(len(await conn.fetchrow("SELECT * FROM changing")), n + 1)
                await pause_async()
            await owner.execute(f"ALTER TABLE changing ADD COLUMN b{n} text DEFAULT 'd'")


@check
async def a_cursor_fetches_in_steps():
    async with connected() as conn, conn.transaction():
        total = 0
        async for row in conn.cursor("SELECT n, repeat('y', 500) FROM generate_series(1, $1::int) n", 3000, prefetch=50):
            total += row["n"]
            if row["n"] % 500 == 0:
                same(await conn.fetchval("SELECT $1::int", row["n"]), row["n"])
        same(total, 3000 * 3001 // 2)
        cursor = await conn.cursor("SELECT generate_series(1, 1000) AS n")
        same([row["n"] for row in await cursor.fetch(3)], [1, 2, 3])
        same(await cursor.forward(10), 10)
        same((await cursor.fetchrow())["n"], 14)


@check
async def executemany_is_one_pipeline_and_all_or_nothing():
    async with connected() as conn:
        await conn.execute("DROP TABLE IF EXISTS a_many; CREATE TABLE a_many (id int PRIMARY KEY, name text)")
        await conn.executemany("INSERT INTO a_many VALUES ($1, $2)", [(n, f"ñ{n}") for n in range(3000)])
        rows = [(n, "x") for n in range(5000, 8000)] + [(7, "there already")]
        error = await fails_async(
            asyncpg.UniqueViolationError, conn.executemany("INSERT INTO a_many VALUES ($1, $2)", rows)
        )
        same(error.constraint_name, "a_many_pkey")
        same(await conn.fetchval("SELECT count(*) FROM a_many"), 3000)
        rows = await conn.fetchmany("UPDATE a_many SET name = 'u' WHERE id = $1 RETURNING id", [(n,) for n in range(100)])
        same([row["id"] for row in rows], list(range(100)))


@check
async def records_are_copied_in_binary():
    async with connected() as conn:
        await conn.execute("DROP TABLE IF EXISTS a_copied; CREATE TABLE a_copied (id int PRIMARY KEY, name text, at timestamptz)")
        moment = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
        records = [(n, f"näme {n}", moment) for n in range(5000)]
        same(await conn.copy_records_to_table("a_copied", records=records), "COPY 5000")
        error = await fails_async(
            asyncpg.UniqueViolationError, conn.copy_records_to_table("a_copied", records=[(1, "twice", moment)])
        )
        same(error.sqlstate, "23505")
        same(await conn.fetchval("SELECT count(*) FROM a_copied"), 5000)
        binary, csv = io.BytesIO(), io.BytesIO()
        await conn.copy_from_table("a_copied", output=binary, format="binary")
        same(binary.getvalue()[:11], b"PGCOPY\n\xff\r\n\0")
        await conn.copy_from_query("SELECT id, name FROM a_copied WHERE id < $1 ORDER BY id", 3, output=csv, format="csv")
        same(csv.getvalue().decode(), "0,näme 0\n1,näme 1\n2,näme 2\n")
        await conn.execute("TRUNCATE a_copied")
        binary.seek(0)
        same(await conn.copy_to_table("a_copied", source=binary, format="binary"), "COPY 5000")
        same([tuple(row) for row in await conn.fetch("SELECT * FROM a_copied ORDER BY id")], records)


@check
async def a_broken_off_copy_copies_nothing():
    async with connected() as conn:
        await conn.execute("DROP TABLE IF EXISTS a_broken; CREATE TABLE a_broken (line text)")

        async def source():
            for _ in range(100):
                yield b"y" * 1000 + b"\n"
            raise ZeroDivisionError

        for _ in range(3):
            await fails_async(ZeroDivisionError, conn.copy_to_table("a_broken", source=source()))
            same(await conn.fetchval("SELECT count(*) FROM a_broken"), 0)

        async def full(_data):
            raise ZeroDivisionError

        query = "SELECT repeat('q', 100) FROM generate_series(1, 100000)"
        for _ in range(3):
            await fails_async(ZeroDivisionError, conn.copy_from_query(query, output=full))
            same(await conn.fetchval("SELECT 'next'"), "next")


@check
async def a_timeout_cancels_the_query():
    async with connected() as conn:
        for _ in range(3):
            await fails_async(asyncio.TimeoutError, conn.fetch("SELECT pg_sleep(20)", timeout=0.1))
            same(await conn.fetchval("SELECT 'next'"), "next")
        task = asyncio.create_task(conn.fetch("SELECT pg_sleep(20)"))
        await asyncio.sleep(0.1)
        task.cancel()
        await fails_async(asyncio.CancelledError, task)
        same(await conn.fetchval("SELECT 'next'"), "next")


@check
async def large_values_and_results_arrive_whole():
    async with connected() as conn:
        text, raw = "äöü€" * 2_000_000, bytes(range(256)) * 60_000
        row = await conn.fetchrow("SELECT $1::text, $2::bytea", text, raw)
        same((row[0] == text, row[1] == raw), (True, True))
        rows = await conn.fetch("SELECT n, repeat('z', 100) FROM generate_series(1, 50000) n")
        same(sum(row["n"] for row in rows), 50000 * 50001 // 2)
