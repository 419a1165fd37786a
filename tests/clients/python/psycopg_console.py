"""Looking at Howdah's console with psycopg as it comes: in a transaction, by one protocol and by the other."""

from decimal import Decimal

import psycopg
from checks import check, main
from psycopg.rows import dict_row

NUMBERS = {"POOLS": "cl_active", "STATS": "total_query_count", "CLIENTS": "id"}


def _look(conn, **options):
    for topic, column in NUMBERS.items():
        rows = conn.execute(f"SHOW {topic}", **options).fetchall()
        assert rows, topic
        assert all(isinstance(row[column], (int, Decimal)) for row in rows), (topic, rows)
        assert all(isinstance(row["database"], str) for row in rows), (topic, rows)


@check
def tables_are_read_in_a_transaction():
    with psycopg.connect(row_factory=dict_row) as conn:
        _look(conn)


@check
def tables_are_read_by_prepared_statements():
    with psycopg.connect(row_factory=dict_row, autocommit=True) as conn:
        for _ in range(7):
            _look(conn, prepare=True)


@check
def tables_are_read_in_binary():
    with psycopg.connect(row_factory=dict_row, autocommit=True) as conn:
        _look(conn, binary=True)


if __name__ == "__main__":
    main()
