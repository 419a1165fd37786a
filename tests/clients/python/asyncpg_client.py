"""How the checks of asyncpg connect."""

from contextlib import asynccontextmanager

import asyncpg


@asynccontextmanager
async def connected(**options):
    """A connection; closed afterwards."""
    conn = await asyncpg.connect(**options)
    try:
        yield conn
    finally:
        await conn.close(timeout=5)
