"""What psycopg 3 does: parameters, prepared statements, pipelines, COPY, cancel, a named cursor."""

import os
import threading

import psycopg

with psycopg.connect(user="app", dbname="app", host="127.0.0.1", port=os.environ["PGPORT"]) as connection:
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("select name from item where id = %s and name <> %s", (1, "none"))
    assert cursor.fetchone() == ("tea",)
    for number in (1, 2, 3):
        cursor.execute("select price from item where id = %s", (number,), prepare=True)
    cursor.execute("select %s::bytea, %s::int", (b"\x00\xff", None), binary=True)
    try:
        cursor.execute("select 1 / %s", (0,))
    except psycopg.errors.DivisionByZero:
        pass
    with connection.pipeline():
        for number in (1, 2, 3):
            connection.execute("select id from item where id = %s", (number,))
    try:
        with connection.pipeline():
            connection.execute("select 1")
            connection.execute("select nothing")
            connection.execute("select 2")
    except psycopg.Error:
        pass
    with cursor.copy("copy (select id from item order by id) to stdout (format binary)") as copy:
        for _ in copy:
            pass
    with connection.transaction(force_rollback=True):
        with cursor.copy("copy item from stdin") as copy:
            copy.write_row((10, "ten", 10))
    try:
        with cursor.copy("copy item from stdin") as copy:
            copy.write("11\televen\t11\n")
            raise KeyError("the client gives up")
    except KeyError:
        pass
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    try:
        cursor.execute("select pg_sleep(30)")
    except psycopg.errors.QueryCanceled:
        pass
    timer.join()
    with connection.transaction():
        with connection.cursor(name="walk") as walk:
            walk.execute("select generate_series(1, 5)")
            walk.fetchmany(2)
