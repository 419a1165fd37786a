"""psycopg 3: prepared statements, pipelines, cursors, large results, cancelling."""

import threading
import time
import uuid
from contextlib import suppress

import psycopg
from psycopg import errors
from psycopg.rows import dict_row, scalar_row

from checks import check, fails, pause, same, served_by
from psycopg_client import connected, one


@check
def a_prepared_statement_is_reused_on_every_server():
    with connected() as conn:
        seen = set()
        for n in range(200):
            pid, value = conn.execute("SELECT pg_backend_pid(), %s::int8 * 2", [n], prepare=True).fetchone()
            same(value, n * 2)
            seen.add(pid)
            pause()
        served_by(seen)


@check
def more_statements_than_a_server_keeps_stay_prepared():
    with connected() as conn:
        conn.prepare_threshold = 0
        conn.prepared_max = 500
        for _ in range(3):
            for n in range(120):
                same(one(conn, f"SELECT %s::text || '{n}'", [f"x{n}."]), f"x{n}.{n}")
        same(len(conn._prepared._names), 120)


@check
def evicted_statements_are_prepared_again():
    with connected() as conn:
        conn.prepare_threshold = 0
        conn.prepared_max = 3
        for n in [*range(10), *range(10), 9, 9, 0, 8, 0]:
            same(one(conn, f"SELECT %s::int4 + {n}", [1]), n + 1)
            pause()


@check
def statements_prepared_in_sql_are_kept():
    with connected() as conn:
        conn.execute("PREPARE twice(int) AS SELECT $1 * 2")
        conn.execute("PREPARE hello AS SELECT 'hello'")
        for n in range(30):
            same(one(conn, f"EXECUTE twice({n})"), n * 2)
            same(one(conn, "EXECUTE hello"), "hello")
            pause()
        conn.execute("DEALLOCATE twice")
        same(fails(errors.InvalidSqlStatementName, lambda: conn.execute("EXECUTE twice(1)")).sqlstate, "26000")
        same(one(conn, "EXECUTE hello"), "hello")
        conn.execute("DEALLOCATE ALL")
        fails(errors.InvalidSqlStatementName, lambda: conn.execute("EXECUTE hello"))
        conn.execute("PREPARE hello AS SELECT 'again'")
        same(one(conn, "EXECUTE hello"), "again")


@check
def statements_are_prepared_again_after_discard_all():
    with connected() as conn:
        for n in range(10):
            same(one(conn, "SELECT %s::int4", [n], prepare=True), n)
        conn.execute("DISCARD ALL")
        conn._prepared.clear()
        for n in range(10):
            same(one(conn, "SELECT %s::int4", [n], prepare=True), n)


@check
def a_pipeline_returns_every_result_to_its_query():
    with connected() as conn:
        with conn.pipeline():
            cursors = [conn.execute("SELECT %s::int4, repeat(%s, %s)", [n, "x", n * 10]) for n in range(300)]
        for n, cursor in enumerate(cursors):
            same(cursor.fetchone(), (n, "x" * n * 10))


@check
def a_pipeline_with_syncs_in_the_middle():
    with connected() as conn, conn.pipeline() as pipeline:
        for turn in range(20):
            cursors = [conn.execute("SELECT %s::int4", [n], prepare=n % 2 == 0) for n in range(10)]
            pipeline.sync()
            same([cursor.fetchone()[0] for cursor in cursors], list(range(10)), f"turn {turn}")
            pause()


@check
def an_error_in_a_pipeline_aborts_it_to_the_next_sync():
    with connected() as conn:
        with conn.pipeline() as pipeline:
            first = conn.execute("SELECT 1")

            def failing():  # the driver raises as soon as it has read the error, at the latest in `sync`
                conn.execute("SELECT 1 / %s::int4", [0])
                conn.execute("SELECT set_config('check.third', 'has run', false)")
                pipeline.sync()

            same(fails(errors.DivisionByZero, failing).sqlstate, "22012")
            with suppress(errors.PipelineAborted):
                pipeline.sync()
            same(first.fetchone()[0], 1)
            fourth = conn.execute("SELECT 4")
            pipeline.sync()
            same(fourth.fetchone()[0], 4)
        same(one(conn, "SELECT current_setting('check.third', true)"), None)
        same(one(conn, "SELECT 5"), 5)


@check
def a_transaction_inside_a_pipeline():
    with connected() as conn:
        conn.execute("DROP TABLE IF EXISTS piped")
        conn.execute("CREATE TABLE piped (id int PRIMARY KEY)")
        with conn.pipeline(), conn.transaction():
            for n in range(50):
                conn.execute("INSERT INTO piped VALUES (%s)", [n])
        same(one(conn, "SELECT count(*) FROM piped"), 50)

        def duplicate():
            with conn.pipeline(), conn.transaction():
                conn.execute("INSERT INTO piped VALUES (100)")
                conn.execute("INSERT INTO piped VALUES (1)")

        fails(errors.UniqueViolation, duplicate)
        same(one(conn, "SELECT count(*) FROM piped"), 50)


@check
def many_rows_are_inserted_by_executemany():
    with connected() as conn, conn.cursor() as cursor:
        conn.execute("DROP TABLE IF EXISTS many")
        conn.execute("CREATE TABLE many (id int PRIMARY KEY, name text)")
        cursor.executemany(
            "INSERT INTO many VALUES (%s, %s) RETURNING id", [(n, f"ñ{n}") for n in range(1000)], returning=True
        )
        same([results.fetchone()[0] for results in cursor.results()], list(range(1000)))
        fails(errors.UniqueViolation, lambda: cursor.executemany("INSERT INTO many VALUES (%s, 'b')", [[2000], [1]]))
        same(one(conn, "SELECT count(*) FROM many"), 1000)


def sleeps_until_cancelled(conn):
    """Runs a long statement, cancels it once it is seen running, and returns the error."""
    sql = f"SELECT pg_sleep(20) /* {uuid.uuid4()} */"

    def cancel():
        with connected() as observer:
            while not one(observer, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = %s", [sql]):
                time.sleep(0.01)
        conn.cancel_safe()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    error = fails(errors.QueryCanceled, lambda: conn.execute(sql))
    canceller.join()
    return error


@check
def a_running_query_is_cancelled():
    with connected() as conn:
        for _ in range(3):
            started = time.monotonic()
            same(sleeps_until_cancelled(conn).sqlstate, "57014")
            same(time.monotonic() - started < 15, True, "cancelled late")
            same(one(conn, "SELECT 'still here'"), "still here")


@check
def a_cancel_in_a_transaction_leaves_it_failed():
    with connected() as conn:
        conn.execute("BEGIN")
        sleeps_until_cancelled(conn)
        fails(errors.InFailedSqlTransaction, lambda: conn.execute("SELECT 1"))
        conn.execute("ROLLBACK")
        same(one(conn, "SELECT 1"), 1)


@check
def a_cancel_of_an_idle_connection_hits_nobody():
    with connected() as victim, connected() as idle:
        timer = threading.Timer(0.05, idle.cancel_safe)
        timer.start()
        same(one(victim, "SELECT 7 FROM pg_sleep(0.3)"), 7)
        timer.join()
        same(one(idle, "SELECT 8"), 8)


@check
def a_cursor_of_the_server_is_read_in_steps():
    with connected(autocommit=False) as conn:
        with conn.cursor("steps", scrollable=True) as cursor:
            cursor.execute("SELECT n, repeat('y', 1000) FROM generate_series(1, 5000) n")
            same([row[0] for row in cursor.fetchmany(3)], [1, 2, 3])
            cursor.itersize = 500
            same(sum(row[0] for row in cursor), 5000 * 5001 // 2 - 6)
            cursor.scroll(10, mode="absolute")
            same(cursor.fetchone()[0], 11)
        conn.rollback()
        same(one(conn, "SELECT 1"), 1)


@check
def a_cursor_with_hold_outlives_its_transaction():
    with connected(autocommit=False) as conn:
        cursor = conn.cursor("held", withhold=True)
        cursor.execute("SELECT n FROM generate_series(1, 100) n")
        same(cursor.fetchone()[0], 1)
        conn.commit()
        for n in range(2, 40):
            same(cursor.fetchone()[0], n)
            conn.commit()
            pause()
        cursor.close()
        conn.commit()


@check
def a_large_result_is_streamed_row_by_row():
    with connected() as conn, conn.cursor(row_factory=scalar_row) as cursor:
        rows = cursor.stream("SELECT n FROM generate_series(1, 50000) n")
        same(sum(rows), 50000 * 50001 // 2)
        chunks = cursor.stream("SELECT n FROM generate_series(1, 5000) n", size=100, binary=True)
        same(sum(chunks), 5000 * 5001 // 2)
        for value in cursor.stream("SELECT n FROM generate_series(1, 300000) n"):
            if value == 10:
                break  # the rest is cancelled
        same(one(conn, "SELECT 'next'"), "next")


@check
def values_of_many_megabytes_go_both_ways():
    with connected() as conn:
        text, raw = "äöü€" * 2_000_000, bytes(range(256)) * 60_000
        for binary in (False, True):
            cursor = conn.execute("SELECT %s::text, %s::bytea", [text, raw], binary=binary)
            row = cursor.fetchone()
            same((row[0] == text, bytes(row[1]) == raw), (True, True))


@check
def several_statements_in_one_message():
    with connected() as conn:
        cursor = conn.execute("SELECT 1; SELECT 'two'; SELECT 3 WHERE false")
        seen = [cursor.fetchall()]
        while cursor.nextset():
            seen.append(cursor.fetchall())
        same(seen, [[(1,)], [("two",)], []])
        same(conn.execute("").statusmessage, None)
        same(conn.execute(" ; ; ").statusmessage, None)
        conn.execute("DROP TABLE IF EXISTS batch; CREATE TABLE batch (n int)")
        fails(errors.DivisionByZero, lambda: conn.execute("INSERT INTO batch VALUES (1); SELECT 1 / 0; SELECT 2"))
        same(one(conn, "SELECT count(*) FROM batch"), 0)
        with conn.cursor(row_factory=dict_row) as rows:
            same(rows.execute("SELECT 1 AS a, NULL AS b").fetchone(), {"a": 1, "b": None})
