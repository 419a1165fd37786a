"""asyncpg: logins, errors, notices, transactions, the pool, and what a connection keeps."""

import asyncio

import asyncpg

from asyncpg_client import connected
from checks import check, fails_async, pause_async, same, server


@check
async def a_login_is_proved_by_scram():
    _, _, user, _, database = server()
    async with connected(server_settings={"application_name": "check"}) as conn:
        same(await conn.fetchval("SELECT current_user || '@' || current_database()"), f"{user}@{database}")
        same(conn.get_settings().application_name, "check")
        same(conn.get_settings().server_encoding, "UTF8")
        same(conn.get_server_version().major >= 13, True)


@check
async def wrong_logins_are_refused():
    _, _, user, password, _ = server()
    error = await fails_async(asyncpg.InvalidPasswordError, asyncpg.connect(password=password + "!"))
    same((error.sqlstate, str(error)), ("28P01", f'password authentication failed for user "{user}"'))
    error = await fails_async(asyncpg.InvalidCatalogNameError, asyncpg.connect(database="no such thing"))
    same((error.sqlstate, str(error)), ("3D000", 'database "no such thing" does not exist'))


@check
async def an_error_has_all_its_fields():
    async with connected() as conn:
        await conn.execute("DROP TABLE IF EXISTS a_errors; CREATE TABLE a_errors (id int CONSTRAINT a_key PRIMARY KEY)")
        await conn.execute("INSERT INTO a_errors VALUES (1)")
        error = await fails_async(asyncpg.UniqueViolationError, conn.execute("INSERT INTO a_errors VALUES ($1)", 1))
        same((error.sqlstate, error.severity, error.schema_name), ("23505", "ERROR", "public"))
        same((error.table_name, error.constraint_name), ("a_errors", "a_key"))
        same(error.detail, "Key (id)=(1) already exists.")
        error = await fails_async(asyncpg.UndefinedColumnError, conn.fetch("SELECT nothing FROM a_errors"))
        same((error.position, error.sqlstate), ("8", "42703"))
        raising = "DO $$ BEGIN RAISE 'oops' USING ERRCODE = 'HD001', HINT = 'a hint', DETAIL = 'ünï'; END $$"
        error = await fails_async(asyncpg.PostgresError, conn.execute(raising))
        same((error.sqlstate, error.hint, error.detail), ("HD001", "a hint", "ünï"))
        same(error.context, "PL/pgSQL function inline_code_block line 1 at RAISE")
        same(await conn.fetchval("SELECT 1"), 1)


@check
async def notices_arrive_with_their_statement():
    async with connected() as conn:
        seen = []
        conn.add_log_listener(lambda _conn, message: seen.append((message.severity, message.message, message.hint)))
        for n in range(20):
            await conn.execute(f"DO $$ BEGIN RAISE NOTICE 'n %', {n} USING HINT = 'h'; RAISE WARNING 'w'; END $$")
            await asyncio.sleep(0)
            same(seen, [("NOTICE", f"n {n}", "h"), ("WARNING", "w", None)])
            seen.clear()
            await pause_async()


@check
async def transactions_nest_by_savepoints():
    async with connected() as conn:
        await conn.execute("DROP TABLE IF EXISTS a_nested; CREATE TABLE a_nested (n int UNIQUE)")

        async def duplicate():
            async with conn.transaction():
                await conn.execute("INSERT INTO a_nested VALUES (2)")
                await conn.execute("INSERT INTO a_nested VALUES (1)")

        for _ in range(5):
            outer = conn.transaction()
            await outer.start()
            await conn.execute("INSERT INTO a_nested VALUES (1)")
            await fails_async(asyncpg.UniqueViolationError, duplicate())
            same(conn.is_in_transaction(), True)
            same(await conn.fetchval("SELECT array_agg(n) FROM a_nested"), [1])
            await outer.rollback()
            same(conn.is_in_transaction(), False)
            same(await conn.fetchval("SELECT count(*) FROM a_nested"), 0)
            await pause_async()
        await fails_async(asyncpg.UniqueViolationError, twice(conn))
        same(await conn.fetchval("SELECT count(*) FROM a_nested"), 0)


async def twice(conn):
    async with conn.transaction():
        await conn.execute("INSERT INTO a_nested VALUES (1)")
        await conn.execute("INSERT INTO a_nested VALUES (1)")


@check
async def isolation_levels_and_modes_are_kept():
    async with connected() as conn:
        for level in ("serializable", "repeatable_read", "read_committed"):
            async with conn.transaction(isolation=level, readonly=True, deferrable=level == "serializable"):
                same(await conn.fetchval("SHOW transaction_isolation"), level.replace("_", " "))
                same(await conn.fetchval("SHOW transaction_read_only"), "on")
            same(await conn.fetchval("SHOW transaction_read_only"), "off")


@check
async def settings_stay_with_their_connection():
    asked = {"work_mem": "1234kB", "search_path": "pg_catalog, public", "jit": "off"}
    async with connected(server_settings=asked) as conn, connected() as other:
        usual = await other.fetchval("SHOW statement_timeout")
        await conn.execute("SET statement_timeout = '54s'; SET TimeZone = 'Asia/Tokyo'")
        for n in range(30):
            same(await conn.fetchval("SHOW work_mem"), "1234kB")
            same(await conn.fetchval("SHOW search_path"), "pg_catalog, public")
            same(await conn.fetchval("SHOW statement_timeout"), "54s")
            same(await conn.fetchval("SELECT current_setting($1)", "TimeZone"), "Asia/Tokyo")
            same(await other.fetchval("SHOW statement_timeout"), usual)
            async with conn.transaction():
                await conn.execute("SET LOCAL work_mem = '77MB'")
                same(await conn.fetchval("SHOW work_mem"), "77MB")
            await pause_async()
        same(conn.get_settings().TimeZone, "Asia/Tokyo")
        await conn.reset()
        same(await conn.fetchval("SHOW statement_timeout"), usual)
        same(await conn.fetchval("SHOW work_mem"), "1234kB")


@check
async def notifications_reach_an_idle_listener():
    async with connected() as listener, connected() as sender:
        heard = asyncio.Queue()
        await listener.add_listener("Ünï", lambda _conn, pid, channel, payload: heard.put_nowait((channel, payload)))
        for n in range(5):
            await sender.execute("SELECT pg_notify($1, $2)", "Ünï", f"number {n}")
            same(await asyncio.wait_for(heard.get(), 5), ("Ünï", f"number {n}"))
        same(await listener.fetchval("SELECT 1"), 1)
        await listener.reset()
        await sender.execute("SELECT pg_notify($1, 'unheard')", "Ünï")
        same(await listener.fetchval("SELECT 2"), 2)
        same(heard.empty(), True)


@check
async def temporary_tables_and_locks_stay_with_their_connection():
    async with connected() as conn, connected() as other:
        await conn.execute("CREATE TEMP TABLE mine (n int)")
        await conn.execute("SELECT pg_advisory_lock(815)")
        for n in range(10):
            await conn.execute("INSERT INTO mine VALUES ($1)", n)
            same(await other.fetchval("SELECT pg_try_advisory_lock(815)"), False)
            await pause_async()
        same(await conn.fetchval("SELECT count(*) FROM mine"), 10)
        await fails_async(asyncpg.UndefinedTableError, other.fetch("SELECT * FROM mine"))
        await conn.reset()  # unlocks
        same(await other.fetchval("SELECT pg_try_advisory_lock(815)"), True)
        same(await other.fetchval("SELECT pg_advisory_unlock(815)"), True)


@check
async def a_terminated_client_is_rolled_back():
    async with connected() as conn:
        await conn.execute("DROP TABLE IF EXISTS a_lost; CREATE TABLE a_lost (n int); SET lock_timeout = '5s'")
        for _ in range(3):
            lost = await asyncpg.connect()
            await lost.execute("BEGIN; INSERT INTO a_lost VALUES (1)")
            lost.terminate()
            await conn.execute("LOCK TABLE a_lost IN ACCESS EXCLUSIVE MODE; TRUNCATE a_lost")  # waits for the lost one
            same(await conn.fetchval("SELECT count(*) FROM a_lost"), 0)


@check
async def a_pool_of_the_driver_serves_many_tasks():
    async def prepare(conn):
        await conn.execute("SET application_name = 'from the pool'")

    async with asyncpg.create_pool(min_size=5, max_size=20, setup=prepare) as pool:

        async def work(number):
            for n in range(10):
                async with pool.acquire() as conn:
                    query = "SELECT $1::text, current_setting('application_name'), current_setting('work_mem')"
                    await conn.execute(f"SET work_mem = '{1100 + number}kB'")
                    expected = (f"{number}/{n}", "from the pool", f"{1100 + number}kB")
                    same(tuple(await conn.fetchrow(query, f"{number}/{n}")), expected)
                    async with conn.transaction():
                        same(await conn.fetchval("SELECT $1::int", n), n)

        await asyncio.gather(*(work(number) for number in range(40)))
