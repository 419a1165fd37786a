"""How the checks of psycopg connect and ask."""

from contextlib import contextmanager

import psycopg


@contextmanager
def connected(**options):
    """An autocommit connection unless told otherwise; closed afterwards."""
    options.setdefault("autocommit", True)
    with psycopg.connect(**options) as conn:
        yield conn


def one(conn, query, params=None, **options):
    """The only value of a query."""
    return conn.execute(query, params, **options).fetchone()[0]
