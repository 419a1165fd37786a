// node-postgres over TLS. PGSSLROOTCERT is the right authority, OTHER_ROOT a wrong one.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { check, connected, main, one } from './checks.mjs'

const root = (name) => readFileSync(process.env[name], 'utf8')

async function work(ssl) {
  await connected({ ssl }, async (client) => {
    assert.equal(client.connection.stream.encrypted, true)
    assert.equal(await one(client, 'SELECT 6 * $1::int', [7]), 42)
    assert.equal((await one(client, "SELECT repeat('x', 1000000)")).length, 1_000_000)
    await client.query('BEGIN')
    await client.query("SET LOCAL work_mem = '5MB'")
    assert.equal(await one(client, 'SHOW work_mem'), '5MB')
    await client.query('COMMIT')
  })
}

check('require encrypts', () => work({ rejectUnauthorized: false }))

check('verify-full trusts the certificate', () => work({ ca: root('PGSSLROOTCERT') }))

check('verify-full refuses one of another authority', () =>
  assert.rejects(work({ ca: root('OTHER_ROOT') }), /certificate|signature/i),
)

await main()
