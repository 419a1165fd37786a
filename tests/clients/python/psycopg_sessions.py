"""psycopg 3: logins, errors, notices, transactions, and what a connection keeps from one transaction to the next."""

import threading
import time

import psycopg
from psycopg import errors, sql

from checks import check, fails, pause, same, server
from psycopg_client import connected, one


@check
def a_login_is_proved_by_scram():
    _, _, user, _, database = server()
    with connected(application_name="check") as conn:
        same(one(conn, "SELECT current_user || '@' || current_database()"), f"{user}@{database}")
        same(conn.info.parameter_status("application_name"), "check")
        same(conn.info.parameter_status("server_encoding"), "UTF8")
        same(conn.info.parameter_status("standard_conforming_strings"), "on")
        same(conn.info.server_version >= 130000, True)


@check
def a_wrong_password_is_refused():
    _, _, user, password, _ = server()
    error = fails(psycopg.OperationalError, lambda: psycopg.connect(password=password + "!"))
    same(f'password authentication failed for user "{user}"' in str(error), True, str(error))


@check
def an_unknown_database_is_refused():
    error = fails(psycopg.OperationalError, lambda: psycopg.connect(dbname="no such thing"))
    same('database "no such thing" does not exist' in str(error), True, str(error))


@check
def an_error_has_all_its_fields():
    with connected() as conn:
        conn.execute("DROP TABLE IF EXISTS child, parent")
        conn.execute("CREATE TABLE parent (id int CONSTRAINT the_key PRIMARY KEY, n int CONSTRAINT small CHECK (n < 10))")
        conn.execute("CREATE TABLE child (p int NOT NULL CONSTRAINT the_parent REFERENCES parent)")
        conn.execute("INSERT INTO parent VALUES (1, 1)")
        diag = fails(errors.UniqueViolation, lambda: conn.execute("INSERT INTO parent VALUES (%s, 2)", [1])).diag
        same((diag.sqlstate, diag.severity, diag.severity_nonlocalized), ("23505", "ERROR", "ERROR"))
        same((diag.schema_name, diag.table_name, diag.constraint_name), ("public", "parent", "the_key"))
        same(diag.message_detail, "Key (id)=(1) already exists.")
        same(diag.source_function, "_bt_check_unique")
        diag = fails(errors.CheckViolation, lambda: conn.execute("INSERT INTO parent VALUES (2, 99)")).diag
        same(diag.constraint_name, "small")
        diag = fails(errors.ForeignKeyViolation, lambda: conn.execute("INSERT INTO child VALUES (9)")).diag
        same((diag.constraint_name, diag.table_name), ("the_parent", "child"))
        diag = fails(errors.NotNullViolation, lambda: conn.execute("INSERT INTO child VALUES (NULL)")).diag
        same((diag.column_name, diag.table_name), ("p", "child"))
        diag = fails(errors.UndefinedColumn, lambda: conn.execute("SELECT nothing FROM parent")).diag
        same((diag.statement_position, diag.sqlstate), ("8", "42703"))
        diag = fails(errors.SyntaxError, lambda: conn.execute("SELEC %s", [1])).diag
        same((diag.statement_position, diag.sqlstate), ("1", "42601"))
        raising = "DO $$ BEGIN RAISE 'oops' USING ERRCODE = 'HD001', HINT = 'a hint', DETAIL = 'ünï'; END $$"
        error = fails(psycopg.Error, lambda: conn.execute(raising))
        same((error.sqlstate, error.diag.message_hint, error.diag.message_detail), ("HD001", "a hint", "ünï"))
        same(error.diag.context, "PL/pgSQL function inline_code_block line 1 at RAISE")
        inner = "DO $$ BEGIN EXECUTE 'SELECT bad FROM parent'; END $$"
        diag = fails(errors.UndefinedColumn, lambda: conn.execute(inner)).diag
        same((diag.internal_position, diag.internal_query), ("8", "SELECT bad FROM parent"))


@check
def notices_arrive_with_their_statement():
    with connected() as conn:
        seen = []
        conn.add_notice_handler(lambda diag: seen.append((diag.severity, diag.message_primary, diag.message_hint)))
        for n in range(20):
            conn.execute(f"DO $$ BEGIN RAISE NOTICE 'n %', {n} USING HINT = 'h'; RAISE WARNING 'w'; END $$")
            same(seen, [("NOTICE", f"n {n}", "h"), ("WARNING", "w", None)])
            seen.clear()
            pause()
        conn.execute("DROP TABLE IF EXISTS certainly_not_there")
        same(seen, [("NOTICE", 'table "certainly_not_there" does not exist, skipping', None)])


@check
def transactions_nest_by_savepoints():
    with connected(autocommit=False) as conn:
        conn.execute("DROP TABLE IF EXISTS nested")
        conn.execute("CREATE TABLE nested (n int UNIQUE)")
        with conn.transaction():
            conn.execute("INSERT INTO nested VALUES (1)")
            with conn.transaction() as inner:
                conn.execute("INSERT INTO nested VALUES (2)")
                raise psycopg.Rollback(inner)

            def duplicate():
                with conn.transaction():
                    conn.execute("INSERT INTO nested VALUES (1)")

            fails(errors.UniqueViolation, duplicate)
            with conn.transaction("third", force_rollback=True):
                conn.execute("INSERT INTO nested VALUES (3)")
            with conn.transaction():
                conn.execute("INSERT INTO nested VALUES (4)")
        same([row[0] for row in conn.execute("SELECT n FROM nested ORDER BY n")], [1, 4])
        conn.rollback()
        same(one(conn, "SELECT to_regclass('nested') IS NULL"), True)


@check
def a_failed_transaction_refuses_until_it_is_rolled_back():
    with connected(autocommit=False) as conn:
        fails(errors.DivisionByZero, lambda: conn.execute("SELECT 1 / 0"))
        same(conn.info.transaction_status.name, "INERROR")
        fails(errors.InFailedSqlTransaction, lambda: conn.execute("SELECT 1"))
        conn.rollback()
        same(conn.info.transaction_status.name, "IDLE")
        same(one(conn, "SELECT 1"), 1)


@check
def isolation_levels_and_modes_are_kept():
    with connected(autocommit=False) as conn:
        for level in psycopg.IsolationLevel:
            conn.set_isolation_level(level)
            same(one(conn, "SHOW transaction_isolation"), level.name.lower().replace("_", " "))
            conn.rollback()
        conn.set_read_only(True)
        conn.set_deferrable(True)
        same(one(conn, "SHOW transaction_read_only"), "on")
        same(one(conn, "SHOW transaction_deferrable"), "on")
        fails(errors.ReadOnlySqlTransaction, lambda: conn.execute("CREATE TABLE never (n int)"))
        conn.rollback()
    with connected() as conn:
        conn.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY")
        for _ in range(10):
            same(one(conn, "SHOW transaction_isolation"), "serializable")
            same(one(conn, "SHOW transaction_read_only"), "on")
            pause()


@check
def settings_stay_with_their_connection():
    with connected(options="-c work_mem=1234kB -c search_path=pg_catalog,public") as conn, connected() as other:
        usual = one(other, "SHOW statement_timeout")
        conn.execute("SET statement_timeout = '54s'")
        conn.execute("SELECT set_config('application_name', 'ünï code', false)")
        conn.execute("SET TIME ZONE 'Asia/Tokyo'")
        conn.execute("SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'")
        for n in range(30):
            same(one(conn, "SHOW work_mem"), "1234kB")
            same(one(conn, "SHOW search_path"), "pg_catalog,public")
            same(one(conn, "SHOW statement_timeout"), "54s")
            same(one(conn, "SELECT current_setting('TimeZone')"), "Asia/Tokyo")
            same(one(conn, "SELECT '2024-02-01'::date::text || '1 day'::interval::text"), "01.02.2024P1D")
            same(one(other, "SHOW statement_timeout"), usual)
            with conn.transaction():
                conn.execute(f"SET LOCAL statement_timeout = '{n + 1}s'")
                same(one(conn, "SHOW statement_timeout"), "1min" if n == 59 else f"{n + 1}s")
            pause()
        same(conn.info.parameter_status("TimeZone"), "Asia/Tokyo")
        conn.execute("RESET statement_timeout")
        same(one(conn, "SHOW statement_timeout"), usual)
        conn.execute("RESET ALL")
        same(one(conn, "SHOW work_mem"), "1234kB")
        conn.execute("BEGIN; SET work_mem = '99MB'")
        conn.execute("ROLLBACK")
        same(one(conn, "SHOW work_mem"), "1234kB")


@check
def the_client_encoding_is_followed():
    with connected() as conn:
        conn.execute("SET client_encoding TO 'LATIN1'")
        for _ in range(10):
            same(conn.info.encoding, "iso8859-1")
            same(one(conn, "SELECT %s::text || 'é'", ["ü"]), "üé")
            fails(errors.UntranslatableCharacter, lambda: conn.execute("SELECT chr(8364)"))
            pause()
        conn.execute("SET client_encoding TO 'UTF8'")
        same(one(conn, "SELECT chr(8364)"), "€")


@check
def notifications_reach_an_idle_listener():
    with connected() as listener, connected() as sender:
        listener.execute("LISTEN news")
        listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier("Ünï")))
        for n in range(5):
            sender.execute("SELECT pg_notify('news', %s)", [f"number {n}"])
            seen = list(listener.notifies(timeout=5, stop_after=1))
            same([(notify.channel, notify.payload) for notify in seen], [("news", f"number {n}")])
        sender.execute('NOTIFY "Ünï"')
        same([notify.channel for notify in listener.notifies(timeout=5, stop_after=1)], ["Ünï"])
        listener.execute("UNLISTEN *")
        sender.execute("NOTIFY news, 'unheard'")
        same(list(listener.notifies(timeout=0.2)), [])


@check
def temporary_tables_stay_with_their_connection():
    with connected() as conn, connected() as other:
        conn.execute("CREATE TEMP TABLE mine (n int)")
        for n in range(20):
            conn.execute("INSERT INTO mine VALUES (%s)", [n])
            pause()
        same(one(conn, "SELECT count(*) FROM mine"), 20)
        fails(errors.UndefinedTable, lambda: other.execute("SELECT * FROM mine"))
    with connected() as conn:
        fails(errors.UndefinedTable, lambda: conn.execute("SELECT * FROM mine"))


@check
def session_locks_are_held_until_the_connection_ends():
    with connected() as other:
        with connected() as conn:
            conn.execute("SELECT pg_advisory_lock(4711)")
            for _ in range(10):
                same(one(conn, "SELECT 1"), 1)
                same(one(other, "SELECT pg_try_advisory_lock(4711)"), False)
                pause()
        deadline = time.monotonic() + 5
        while not one(other, "SELECT pg_try_advisory_lock(4711)"):
            same(time.monotonic() < deadline, True, "the lock is still held")
            pause()
        same(one(other, "SELECT pg_advisory_unlock(4711)"), True)


@check
def a_vanished_client_is_rolled_back():
    with connected() as conn:
        conn.execute("DROP TABLE IF EXISTS vanishing")
        conn.execute("CREATE TABLE vanishing (n int)")
        lost = psycopg.connect(autocommit=False)
        lost.execute("INSERT INTO vanishing VALUES (1)")
        lost.pgconn.finish()
        conn.execute("SET lock_timeout = '5s'")
        same(one(conn, "SELECT count(*) FROM vanishing"), 0)
        conn.execute("TRUNCATE vanishing")  # waits for the lock of the transaction that was lost


@check
def twenty_connections_work_at_once():
    failures = []

    def work(number):
        try:
            with connected(application_name=f"client {number}") as conn:
                conn.execute(f"SET work_mem = '{1000 + number}kB'")
                for n in range(40):
                    row = conn.execute(
                        "SELECT %s::text, current_setting('work_mem'), current_setting('application_name')",
                        [f"{number}/{n}"],
                        prepare=n % 2 == 0,
                    ).fetchone()
                    same(row, (f"{number}/{n}", f"{1000 + number}kB", f"client {number}"))
                    if n % 10 == 0:
                        with conn.transaction():
                            conn.execute(f"SET LOCAL work_mem = '{2000 + number}kB'")
                            same(one(conn, "SHOW work_mem"), f"{2000 + number}kB")
                            fails(errors.DivisionByZero, lambda: one_by_zero(conn))
        except Exception as error:  # shown by the thread that started this one
            failures.append(f"client {number}: {error!r}")

    def one_by_zero(conn):
        with conn.transaction():
            conn.execute("SELECT 1 / 0")

    threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(failures, [])
