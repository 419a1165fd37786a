"""What applications do with psycopg 3."""

import psycopg_async
import psycopg_copy
import psycopg_sessions
import psycopg_statements
import psycopg_types
from checks import main

PARTS = [psycopg_sessions, psycopg_types, psycopg_statements, psycopg_copy, psycopg_async]  # each has registered its checks

if __name__ == "__main__":
    main()
