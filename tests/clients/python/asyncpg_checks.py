"""What applications do with asyncpg."""

import asyncpg_sessions
import asyncpg_statements
from checks import main

PARTS = [asyncpg_sessions, asyncpg_statements]  # each has registered its checks

if __name__ == "__main__":
    main()
