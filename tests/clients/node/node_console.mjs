// Looking at Howdah's console with node-postgres as it comes: by one protocol and by the other.

import assert from 'node:assert/strict'
import { check, connected, main } from './checks.mjs'

const NUMBERS = { POOLS: 'cl_active', STATS: 'total_query_count', CLIENTS: 'id' }

async function look(client, query) {
  for (const [topic, column] of Object.entries(NUMBERS)) {
    const { rows } = await client.query(query(topic))
    assert.ok(rows.length > 0, topic)
    for (const row of rows) {
      assert.ok(row[column] !== '' && Number.isFinite(Number(row[column])), `${topic}: ${JSON.stringify(row)}`)
      assert.equal(typeof row.database, 'string')
    }
  }
}

check('tables are read by simple queries', () => connected({}, (client) => look(client, (topic) => `SHOW ${topic}`)))

check('tables are read by prepared statements', () =>
  connected({}, async (client) => {
    for (let turn = 0; turn < 7; turn += 1) {
      await look(client, (topic) => ({ name: topic, text: `SHOW ${topic}`, values: [] }))
    }
  }),
)

await main()
