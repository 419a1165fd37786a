"""psycopg 3: values of many types, to and from the server, as text and in binary."""

import datetime as dt
import ipaddress
import uuid
from decimal import Decimal

import psycopg
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import Json, Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range, RangeInfo, register_range

from checks import check, pause, same
from psycopg_client import connected

UTC = dt.timezone.utc
VALUES = {
    "int2": [0, 32767, -32768],
    "int4": [-1, 2147483647],
    "int8": [9223372036854775807, -9223372036854775808],
    "float4": [0.5, -1024.25],
    "float8": [1.1, -1e300, float("inf")],
    "numeric": [Decimal("0"), Decimal("-12345678901234567890.0123456789"), Decimal("1e-20")],
    "text": ["", "plain", "ünïcödé € 🐘", "quote ' \" \\ \n \t %s", "x" * 70000],
    "varchar": ["naïve"],
    "bytea": [b"", bytes(range(256)), b"\\x00" * 5000],
    "bool": [True, False],
    "date": [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "time": [dt.time(23, 59, 59, 999999), dt.time(0)],
    "timetz": [dt.time(12, 30, tzinfo=dt.timezone(dt.timedelta(hours=5)))],
    "timestamp": [dt.datetime(2024, 2, 29, 12, 0, 0, 123456), dt.datetime(1900, 1, 1)],
    "timestamptz": [dt.datetime(2024, 6, 1, 12, 0, 0, 5, tzinfo=UTC)],
    "interval": [dt.timedelta(days=400, hours=3, microseconds=7), dt.timedelta(days=-1, seconds=5)],
    "uuid": [uuid.UUID("12345678-1234-5678-1234-567812345678")],
    "inet": [ipaddress.ip_address("10.1.2.3"), ipaddress.ip_interface("fe80::1/64")],
    "cidr": [ipaddress.ip_network("10.0.0.0/8")],
    "int4[]": [[1, 2, None, 4], [], [[1, 2], [3, 4]]],
    "text[]": [["a", "b,c", 'd"e', "", "ü\\", None, "NULL"]],
    "timestamptz[]": [[dt.datetime(2024, 6, 1, tzinfo=UTC)]],
    "numrange": [Range(Decimal(1), Decimal("2.5"), "[)"), Range(empty=True)],
    "int4multirange": [Multirange([Range(1, 3), Range(7, 9)])],
}


def round_trips(conn, sent, received):
    """Every value comes back as it was sent, in these formats."""
    for name, values in VALUES.items():
        for value in [*values, None]:
            with conn.cursor(binary=received) as cursor:
                query = f"SELECT {sent}::{name}, pg_typeof({sent}::{name}) = '{name}'::regtype"
                seen, is_of_this_type = cursor.execute(query, [value, value]).fetchone()
                same(bytes(seen) if isinstance(value, bytes) else seen, value, name)
                same(is_of_this_type, True, name)


@check
def values_round_trip_as_text():
    with connected() as conn:
        conn.execute("SET TimeZone TO 'UTC'")
        round_trips(conn, "%t", False)


@check
def values_round_trip_in_binary():
    with connected() as conn:
        conn.execute("SET TimeZone TO 'UTC'")
        round_trips(conn, "%b", True)


@check
def json_round_trips():
    with connected() as conn:
        value = {"ä": [1, 2.5, None, {"deep": "🐘"}], "empty": {}}
        for binary in (False, True):
            row = conn.execute("SELECT %s::json, %s::jsonb", [Json(value), Jsonb(value)], binary=binary).fetchone()
            same(row, (value, value))
            pause()


@check
def types_of_the_application_are_looked_up():
    with connected() as conn:
        conn.execute("DROP TABLE IF EXISTS inventory; DROP TYPE IF EXISTS item, mood, float8span")
        conn.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'häppy')")
        conn.execute("CREATE TYPE item AS (name text, supplier int, price numeric, feeling mood)")
        conn.execute("CREATE TYPE float8span AS RANGE (subtype = float8)")
        register_enum(EnumInfo.fetch(conn, "mood"), conn)
        register_composite(CompositeInfo.fetch(conn, "item"), conn)
        register_range(RangeInfo.fetch(conn, "float8span"), conn)
        conn.execute("CREATE TABLE inventory (thing item, many item[], m mood[])")
        things = [("a (b, \"c\")", 7, Decimal("1.50")), ("", None, None)]
        for name, supplier, price in things:
            for binary in (False, True):
                query = "SELECT ROW(%s, %s, %s, 'häppy')::item, ARRAY[ROW('x', 1, 2, 'sad')::item], '{ok,sad}'::mood[]"
                thing, many, moods = conn.execute(query, [name, supplier, price], binary=binary).fetchone()
                same((thing.name, thing.supplier, thing.price, thing.feeling.name), (name, supplier, price, "häppy"))
                same((many[0].name, many[0].feeling.name), ("x", "sad"))
                same([mood.name for mood in moods], ["ok", "sad"])
                conn.execute("INSERT INTO inventory VALUES (%s, %s, %s)", [thing, many, moods])
                pause()
        row = conn.execute("SELECT (thing).name, (many[1]).price FROM inventory LIMIT 1").fetchone()
        same(row, ("a (b, \"c\")", Decimal(2)))
        for binary in (False, True):
            span = Range(0.5, 2.25, "[]")
            same(conn.execute("SELECT %s::float8span", [span], binary=binary).fetchone()[0], span)


@check
def results_describe_their_columns():
    with connected() as conn:
        conn.execute("DROP TABLE IF EXISTS described")
        conn.execute("CREATE TABLE described (a varchar(17), b numeric(10, 3), c timestamptz(3), d int[])")
        for _ in range(10):
            columns = conn.execute("SELECT *, 1 AS e FROM described", prepare=True).description
            same([column.name for column in columns], ["a", "b", "c", "d", "e"])
            same((columns[0].display_size, columns[1].precision, columns[1].scale), (17, 10, 3))
            same(columns[3].type_code, psycopg.adapters.types["int4"].array_oid)
            pause()
