// node-postgres: types, prepared statements, queues and pipelines, cursors, streams, COPY, cancelling.

import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { buffer, text as textOf } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import copyStreams from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { check, connected, fails, one, pause, range, servedBy, sleep } from './checks.mjs'

const VALUES = {
  int2: [0, 32767, -32768],
  int4: [-1, 2147483647],
  int8: ['9223372036854775807'],
  float4: [0.5, -1024.25],
  float8: [1.1, -1e300],
  numeric: ['-12345678901234567890.0123456789'],
  text: ['', 'ünïcödé € 🐘', 'quote \' " \\ \n', 'x'.repeat(70000)],
  bytea: [Buffer.alloc(0), Buffer.from(range(256))],
  bool: [true, false],
  timestamptz: [new Date('2024-06-01T12:00:00.123Z')],
  uuid: ['12345678-1234-5678-1234-567812345678'],
  inet: ['10.1.2.3', 'fe80::1/64'],
  json: [{ ä: [1, null, { deep: '🐘' }] }],
  jsonb: [{ ä: [1, null, { deep: '🐘' }] }],
  'int4[]': [[1, 2, null], []],
  'text[]': [['a', 'b,c', 'd"e', '', null, 'NULL']],
}

check('values round trip as text', () =>
  connected({}, async (client) => {
    for (const [type, values] of Object.entries(VALUES)) {
      for (const value of [...values, null]) {
        const query = `SELECT $1::${type} AS value, pg_typeof($1) = '${type}'::regtype AS typed`
        const { rows } = await client.query(query, [value])
        assert.deepEqual(rows, [{ value, typed: true }], type)
      }
    }
    const interval = await one(client, "SELECT interval '1 year 2 days 03:04:05'")
    assert.deepEqual({ ...interval }, { years: 1, days: 2, hours: 3, minutes: 4, seconds: 5 })
  }))

check('results are asked for in binary', () =>
  connected({ binary: true }, async (client) => {
    // the driver reads binary results of few types rightly; text is one of them
    for (const text of VALUES.text) {
      const { rows, fields } = await client.query('SELECT $1::text AS text, 1::int4 AS n', [text])
      assert.deepEqual([rows[0].text, fields[0].format, fields[1].format], [text, 'binary', 'binary'])
    }
  }))

check('types of the application are looked up', () =>
  connected({}, async (client) => {
    await client.query('DROP TYPE IF EXISTS n_thing, n_mood')
    await client.query("CREATE TYPE n_mood AS ENUM ('sad', 'häppy'); CREATE TYPE n_thing AS (name text, mood n_mood)")
    const oid = await one(client, "SELECT 'n_thing'::regtype::oid")
    client.setTypeParser(oid, 'text', (row) => ({ row }))
    for (const n of range(5)) {
      assert.equal(await one(client, 'SELECT $1::n_mood', ['häppy']), 'häppy')
      assert.deepEqual(await one(client, 'SELECT ROW($1, $2)::n_thing', [`a ${n}`, 'sad']), { row: `("a ${n}",sad)` })
      const { fields } = await client.query({ name: 'described', text: 'SELECT NULL::n_thing AS t, 1 AS n' })
      assert.deepEqual(fields.map((field) => [field.name, field.dataTypeID]), [['t', oid], ['n', 23]])
      await pause()
    }
    await fails('22P02', client.query('SELECT $1::n_mood', ['angry']))
  }))

check('a prepared statement is reused on every server', () =>
  connected({}, async (client) => {
    const seen = []
    for (const n of range(200)) {
      const query = { name: 'twice', text: 'SELECT pg_backend_pid() AS pid, $1::int4 * 2 AS value', values: [n] }
      const { rows } = await client.query(query)
      assert.equal(rows[0].value, n * 2)
      seen.push(rows[0].pid)
      await pause()
    }
    servedBy(seen)
  }))

check('more statements than a server keeps stay prepared', () =>
  connected({}, async (client) => {
    for (const _ of range(3)) {
      for (const n of range(120)) {
        const query = { name: `statement ${n}`, text: `SELECT $1::text || '${n}' AS value`, values: [`x${n}.`] }
        assert.equal((await client.query(query)).rows[0].value, `x${n}.${n}`)
      }
    }
  }))

check('a queue of queries is answered in order', () =>
  connected({}, async (client) => {
    const answers = range(300).map((n) =>
      n % 50 === 49
        ? fails('22012', client.query('SELECT 1 / $1::int4', [0])).then(() => 'failed')
        : one(client, 'SELECT $1::int4', [n]),
    )
    const expected = range(300).map((n) => (n % 50 === 49 ? 'failed' : n))
    assert.deepEqual(await Promise.all(answers), expected)
  }))

check('a pipeline is answered in order', () =>
  connected({ pipeline: true }, async (client) => {
    for (const turn of range(5)) {
      const answers = range(100).map((n) => {
        if (n % 20 === 19) return fails('22012', client.query('SELECT 1 / $1::int4', [0])).then(() => 'failed')
        if (n % 3 === 0) return client.query({ name: `p${n}`, text: `SELECT $1::int4 AS v, ${n} AS n`, values: [n] }).then(({ rows }) => rows[0].v)
        if (n % 7 === 0) return client.query(`SELECT ${n} AS v`).then(({ rows }) => rows[0].v)
        return one(client, 'SELECT $1::int4', [n])
      })
      assert.deepEqual(await Promise.all(answers), range(100).map((n) => (n % 20 === 19 ? 'failed' : n)), `turn ${turn}`)
      await pause()
    }
  }))

check('a transaction in a pipeline', () =>
  connected({ pipeline: true }, async (client) => {
    await client.query('DROP TABLE IF EXISTS n_piped; CREATE TABLE n_piped (id int PRIMARY KEY)')
    const insert = (id) => client.query('INSERT INTO n_piped VALUES ($1)', [id])
    await Promise.all([client.query('BEGIN'), ...range(50).map(insert), client.query('COMMIT')])
    assert.equal(await one(client, 'SELECT count(*)::int FROM n_piped'), 50)
    const answers = await Promise.allSettled([client.query('BEGIN'), insert(99), insert(7), insert(100), client.query('COMMIT')])
    assert.deepEqual(answers.map(({ reason }) => reason?.code), [undefined, undefined, '23505', '25P02', undefined])
    assert.equal(answers[4].value.command, 'ROLLBACK')
    assert.equal(await one(client, 'SELECT count(*)::int FROM n_piped'), 50)
  }))

check('a cursor is read in steps', () =>
  connected({}, async (client) => {
    await client.query('BEGIN')
    const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, $1::int) n', [1000]))
    assert.deepEqual((await cursor.read(3)).map(({ n }) => n), [1, 2, 3])
    assert.equal((await cursor.read(500)).length, 500)
    await cursor.close()
    assert.equal(await one(client, 'SELECT 1'), 1)
    await client.query('COMMIT')
    for (const _ of range(5)) {
      // outside a transaction: the portal lives until the driver's Sync
      const alone = client.query(new Cursor('SELECT n FROM generate_series(1, 100) n'))
      assert.equal((await alone.read(10)).length, 10)
      await pause()
      assert.equal((await alone.read(10))[9].n, 20)
      await alone.close()
      await pause()
    }
  }))

check('a large result is streamed', () =>
  connected({}, async (client) => {
    const query = "SELECT n, repeat('z', 100) FROM generate_series(1, $1::int) n"
    let total = 0
    for await (const { n } of client.query(new QueryStream(query, [50000], { batchSize: 500, highWaterMark: 500 }))) total += n
    assert.equal(total, (50000 * 50001) / 2)
    for await (const { n } of client.query(new QueryStream(query, [50000]))) if (n === 10) break
    assert.equal(await one(client, 'SELECT 7'), 7)
  }))

check('values of many megabytes go both ways', () =>
  connected({}, async (client) => {
    const [text, raw] = ['äöü€'.repeat(2_000_000), Buffer.alloc(15_000_000, Buffer.from(range(256)))]
    const { rows } = await client.query({ text: 'SELECT $1::text, $2::bytea', values: [text, raw], rowMode: 'array' })
    assert.deepEqual([rows[0][0] === text, raw.equals(rows[0][1])], [true, true])
  }))

check('rows are copied in and out, as text and in binary', () =>
  connected({}, async (client) => {
    const lines = range(5000).map((n) => `${n}\tnäme ${n}\t\\N\n`)
    for (const format of ['text', 'binary']) {
      await client.query('DROP TABLE IF EXISTS n_copied; CREATE TABLE n_copied (id int PRIMARY KEY, name text, nothing int)')
      const into = client.query(copyStreams.from('COPY n_copied FROM STDIN'))
      await pipeline(Readable.from(lines), into)
      assert.equal(into.rowCount, 5000)
      const copied = await buffer(client.query(copyStreams.to(`COPY n_copied TO STDOUT (FORMAT ${format})`)))
      await client.query('TRUNCATE n_copied')
      await pipeline(Readable.from([copied]), client.query(copyStreams.from(`COPY n_copied FROM STDIN (FORMAT ${format})`)))
      const out = client.query(copyStreams.to('COPY (SELECT * FROM n_copied ORDER BY id) TO STDOUT'))
      assert.equal(await textOf(out), lines.join(''))
    }
  }))

check('a broken off copy copies nothing', () =>
  connected({}, async (client) => {
    await client.query('DROP TABLE IF EXISTS n_broken; CREATE TABLE n_broken (id int PRIMARY KEY)')
    const bad = pipeline(Readable.from(range(2000).map(() => '1\n')), client.query(copyStreams.from('COPY n_broken FROM STDIN')))
    const error = await fails('23505', bad)
    assert.equal(error.where, 'COPY n_broken, line 2')
    for (const _ of range(3)) {
      const given_up = client.query(copyStreams.from('COPY n_broken FROM STDIN'))
      given_up.write('1\n')
      await new Promise((resolve) => {
        given_up.on('error', resolve)
        given_up.destroy(new Error('given up')) // sends CopyFail
      })
      assert.equal(await one(client, 'SELECT count(*)::int FROM n_broken'), 0)
    }
  }))

check('a running query is cancelled', () =>
  connected({}, async (client) => {
    for (const _ of range(3)) {
      const query = new pg.Query('SELECT pg_sleep(20)')
      const ended = new Promise((resolve, reject) => {
        query.on('error', reject)
        query.on('end', resolve)
      })
      const cancelled = fails('57014', ended)
      client.query(query)
      await sleep(100)
      new pg.Client().cancel(client, query)
      await cancelled
      assert.equal(await one(client, "SELECT 'next'"), 'next')
    }
    await client.query("SET statement_timeout = '50ms'")
    await fails('57014', client.query('SELECT pg_sleep(20)'))
    assert.equal(await one(client, "SELECT 'next'"), 'next')
  }))
