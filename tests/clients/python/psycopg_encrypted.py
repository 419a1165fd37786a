"""psycopg over TLS. PGSSLROOTCERT is the right authority, OTHER_ROOT a wrong one."""

import os

import psycopg
from checks import check, main, same
from psycopg_client import connected, one


def _work(sslmode):
    with connected(sslmode=sslmode) as conn:
        same(conn.pgconn.ssl_in_use, True)
        same(one(conn, "SELECT 6 * %s", (7,)), 42)
        same(one(conn, "SELECT repeat('x', 1000000)"), "x" * 1_000_000)
        with conn.transaction():
            conn.execute("SET LOCAL work_mem = '5MB'")
            same(one(conn, "SHOW work_mem"), "5MB")


@check
def require_encrypts():
    _work("require")


@check
def verify_full_trusts_the_certificate():
    _work("verify-full")


@check
def verify_full_refuses_one_of_another_authority():
    try:
        with connected(sslmode="verify-full", sslrootcert=os.environ["OTHER_ROOT"]):
            pass
    except psycopg.OperationalError as error:
        assert "certificate verify failed" in str(error), error
    else:
        raise AssertionError("it was trusted")


if __name__ == "__main__":
    main()
