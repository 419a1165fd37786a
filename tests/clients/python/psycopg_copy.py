"""psycopg 3: COPY in both directions, as text and in binary, to its end and broken off."""

import datetime as dt
from decimal import Decimal

from psycopg import errors

from checks import check, fails, pause, same
from psycopg_client import connected, one

ROWS = [(n, f"näme\t{n}\\N\n", Decimal(n) / 4, dt.date(2024, 1, 1), None) for n in range(3000)]


def fresh(conn):
    """An empty table for rows like ROWS."""
    conn.execute("DROP TABLE IF EXISTS copied")
    conn.execute("CREATE TABLE copied (id int PRIMARY KEY, name text, price numeric, day date, nothing int)")


@check
def rows_are_copied_in_and_out_as_text():
    with connected() as conn, conn.cursor() as cursor:
        fresh(conn)
        with cursor.copy("COPY copied FROM STDIN") as copy:
            for row in ROWS:
                copy.write_row(row)
        same(cursor.rowcount, len(ROWS))
        with cursor.copy("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT") as copy:
            copy.set_types(["int4", "text", "numeric", "date", "int4"])
            same(list(copy.rows()), ROWS)


@check
def rows_are_copied_in_and_out_in_binary():
    with connected() as conn, conn.cursor() as cursor:
        fresh(conn)
        with cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "numeric", "date", "int4"])
            for row in ROWS:
                copy.write_row(row)
        with cursor.copy("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "numeric", "date", "int4"])
            same(list(copy.rows()), ROWS)


@check
def megabytes_are_copied_both_ways():
    with connected() as conn, conn.cursor() as cursor:
        conn.execute("DROP TABLE IF EXISTS blocks")
        conn.execute("CREATE TABLE blocks (line text)")
        block = b"".join(b"%d,%s\n" % (n, b"z" * 990) for n in range(1000)).replace(b",", b" ")
        with cursor.copy("COPY blocks FROM STDIN") as copy:
            for _ in range(20):
                copy.write(block)
        same(cursor.rowcount, 20_000)
        with cursor.copy("COPY blocks TO STDOUT") as copy:
            same(sum(len(data) for data in copy), 20 * len(block))
        same(one(conn, "SELECT sum(length(line) + 1) FROM blocks"), 20 * len(block))


@check
def a_bad_line_fails_the_whole_copy():
    with connected() as conn, conn.cursor() as cursor:
        fresh(conn)

        def bad():
            with cursor.copy("COPY copied (id, name) FROM STDIN") as copy:
                for _ in range(200):
                    copy.write("1\tsame\n" * 100)  # more lines than are looked at before the error is seen

        diag = fails(errors.UniqueViolation, bad).diag
        same(diag.constraint_name, "copied_pkey")
        same(diag.context, "COPY copied, line 2")
        same(one(conn, "SELECT count(*) FROM copied"), 0)
        for _ in range(10):
            fails(errors.InvalidTextRepresentation, lambda: copy_line(cursor, "not a number\tx\n"))
            same(one(conn, "SELECT 'fine'"), "fine")
            pause()


def copy_line(cursor, line):
    with cursor.copy("COPY copied (id, name) FROM STDIN") as copy:
        copy.write(line)


@check
def a_copy_given_up_by_its_client_copies_nothing():
    with connected() as conn, conn.cursor() as cursor:
        fresh(conn)

        def given_up():
            with cursor.copy("COPY copied (id) FROM STDIN") as copy:
                copy.write("1\n2\n")
                raise ZeroDivisionError

        for _ in range(5):
            fails(ZeroDivisionError, given_up)
            same(one(conn, "SELECT count(*) FROM copied"), 0)


@check
def a_copy_out_is_left_in_the_middle():
    with connected() as conn, conn.cursor() as cursor:

        def left():
            with cursor.copy("COPY (SELECT repeat('q', 100) FROM generate_series(1, 200000)) TO STDOUT") as copy:
                same(len(copy.read()), 101)
                raise ZeroDivisionError  # the driver cancels and reads what is still coming

        for _ in range(3):
            fails(ZeroDivisionError, left)
            same(one(conn, "SELECT 'next'"), "next")


@check
def a_copy_inside_a_transaction_is_rolled_back():
    with connected() as conn, conn.cursor() as cursor:
        fresh(conn)
        conn.execute("BEGIN")
        copy_line(cursor, "1\tone\n")
        same(one(conn, "SELECT count(*) FROM copied"), 1)
        conn.execute("SAVEPOINT s")
        fails(errors.UniqueViolation, lambda: copy_line(cursor, "1\tagain\n"))
        conn.execute("ROLLBACK TO s")
        copy_line(cursor, "2\ttwo\n")
        conn.execute("ROLLBACK")
        same(one(conn, "SELECT count(*) FROM copied"), 0)
