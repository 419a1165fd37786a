// node-postgres: logins, errors, notices, transactions, the pool, and what a connection keeps.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import pg from 'pg'
import { check, connected, fails, one, pause, range } from './checks.mjs'

check('a login is proved by SCRAM', () =>
  connected({ application_name: 'check' }, async (client) => {
    const who = await one(client, "SELECT current_user || '@' || current_database()")
    assert.equal(who, `${process.env.PGUSER}@${process.env.PGDATABASE}`)
    assert.equal(await one(client, 'SHOW application_name'), 'check')
    assert.equal(Number.isInteger(client.processID) && Number.isInteger(client.secretKey), true)
  }))

check('wrong logins are refused', async () => {
  const refused = async (code, message, options) => {
    const client = new pg.Client(options)
    client.on('error', () => {})
    const error = await fails(code, client.connect())
    assert.equal(error.message, message)
    assert.equal(error.severity, 'FATAL')
  }
  const user = process.env.PGUSER
  await refused('28P01', `password authentication failed for user "${user}"`, { password: `${process.env.PGPASSWORD}!` })
  await refused('3D000', 'database "no such thing" does not exist', { database: 'no such thing' })
})

check('an error has all its fields', () =>
  connected({}, async (client) => {
    await client.query('DROP TABLE IF EXISTS n_errors; CREATE TABLE n_errors (id int CONSTRAINT n_key PRIMARY KEY, n int NOT NULL)')
    await client.query('INSERT INTO n_errors VALUES (1, 1)')
    let error = await fails('23505', client.query('INSERT INTO n_errors VALUES ($1, 1)', [1]))
    assert.equal(error.severity, 'ERROR')
    assert.deepEqual([error.schema, error.table, error.constraint], ['public', 'n_errors', 'n_key'])
    assert.deepEqual([error.detail, error.routine], ['Key (id)=(1) already exists.', '_bt_check_unique'])
    error = await fails('23502', client.query('INSERT INTO n_errors VALUES (2, NULL)'))
    assert.equal(error.column, 'n')
    error = await fails('42703', client.query('SELECT nothing FROM n_errors'))
    assert.equal(error.position, '8')
    error = await fails('HD001', client.query("DO $$ BEGIN RAISE 'oops' USING ERRCODE = 'HD001', HINT = 'ünï'; END $$"))
    assert.deepEqual([error.hint, error.where], ['ünï', 'PL/pgSQL function inline_code_block line 1 at RAISE'])
    error = await fails('42703', client.query("DO $$ BEGIN EXECUTE 'SELECT bad FROM n_errors'; END $$"))
    assert.deepEqual([error.internalPosition, error.internalQuery], ['8', 'SELECT bad FROM n_errors'])
    assert.equal(await one(client, 'SELECT 1'), 1)
  }))

check('notices arrive with their statement', () =>
  connected({}, async (client) => {
    const seen = []
    client.on('notice', ({ severity, message, hint }) => seen.push([severity, message, hint]))
    for (const n of range(20)) {
      await client.query(`DO $$ BEGIN RAISE NOTICE 'n %', ${n} USING HINT = 'h'; RAISE WARNING 'w'; END $$`)
      assert.deepEqual(seen.splice(0), [['NOTICE', `n ${n}`, 'h'], ['WARNING', 'w', undefined]])
      await pause()
    }
  }))

check('several statements in one message', () =>
  connected({}, async (client) => {
    const results = await client.query("SELECT 1 AS a; SELECT 'two' AS b; SELECT 3 AS c WHERE false")
    assert.deepEqual(results.map(({ rows }) => rows), [[{ a: 1 }], [{ b: 'two' }], []])
    assert.deepEqual((await client.query('')).rows, [])
    await client.query('DROP TABLE IF EXISTS n_batch; CREATE TABLE n_batch (n int)')
    await fails('22012', client.query('INSERT INTO n_batch VALUES (1); SELECT 1 / 0; SELECT 2'))
    assert.equal(await one(client, 'SELECT count(*)::int FROM n_batch'), 0)
  }))

check('transactions with savepoints', () =>
  connected({}, async (client) => {
    await client.query('DROP TABLE IF EXISTS n_nested; CREATE TABLE n_nested (n int UNIQUE)')
    for (const _ of range(5)) {
      await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
      assert.equal(await one(client, 'SHOW transaction_isolation'), 'serializable')
      await client.query('INSERT INTO n_nested VALUES (1)')
      await client.query('SAVEPOINT s')
      await fails('23505', client.query('INSERT INTO n_nested VALUES ($1)', [1]))
      await fails('25P02', client.query('SELECT 1'))
      await client.query('ROLLBACK TO SAVEPOINT s')
      await client.query('INSERT INTO n_nested VALUES (2)')
      assert.equal(await one(client, 'SELECT count(*)::int FROM n_nested'), 2)
      await client.query('ROLLBACK')
      assert.equal(await one(client, 'SELECT count(*)::int FROM n_nested'), 0)
      await client.query('BEGIN READ ONLY')
      await fails('25006', client.query('INSERT INTO n_nested VALUES (3)'))
      assert.equal((await client.query('COMMIT')).command, 'ROLLBACK')
      await pause()
    }
  }))

check('settings stay with their connection', () =>
  connected({ options: '-c work_mem=1234kB', statement_timeout: 54000, lock_timeout: 4000 }, (client) =>
    connected({}, async (other) => {
      const usual = await one(other, 'SHOW statement_timeout')
      await client.query("SET search_path = pg_catalog, public; SET TIME ZONE 'Asia/Tokyo'")
      for (const _ of range(30)) {
        assert.equal(await one(client, 'SHOW work_mem'), '1234kB')
        assert.equal(await one(client, 'SHOW statement_timeout'), '54s')
        assert.equal(await one(client, 'SHOW lock_timeout'), '4s')
        assert.equal(await one(client, 'SHOW search_path'), 'pg_catalog, public')
        assert.equal(await one(client, 'SELECT current_setting($1)', ['TimeZone']), 'Asia/Tokyo')
        assert.equal(await one(other, 'SHOW statement_timeout'), usual)
        await pause()
      }
      await client.query("BEGIN; SET LOCAL work_mem = '77MB'")
      assert.equal(await one(client, 'SHOW work_mem'), '77MB')
      await client.query('COMMIT')
      assert.equal(await one(client, 'SHOW work_mem'), '1234kB')
      await client.query('RESET ALL')
      assert.equal(await one(client, 'SHOW statement_timeout'), '54s')
    })))

check('notifications reach an idle listener', () =>
  connected({}, (listener) =>
    connected({}, async (sender) => {
      await listener.query('LISTEN "Ünï"')
      for (const n of range(5)) {
        const heard = once(listener, 'notification')
        await sender.query("SELECT pg_notify('Ünï', $1)", [`number ${n}`])
        const [{ channel, payload }] = await heard
        assert.deepEqual([channel, payload], ['Ünï', `number ${n}`])
      }
      const unheard = []
      await listener.query('UNLISTEN *')
      listener.on('notification', (message) => unheard.push(message))
      await sender.query('NOTIFY "Ünï"')
      assert.equal(await one(listener, 'SELECT 1'), 1)
      assert.deepEqual(unheard, [])
    })))

check('temporary tables and locks stay with their connection', () =>
  connected({}, async (other) => {
    await connected({}, async (client) => {
      await client.query('CREATE TEMP TABLE mine (n int); SELECT pg_advisory_lock(99)')
      for (const n of range(10)) {
        await client.query('INSERT INTO mine VALUES ($1)', [n])
        assert.equal(await one(other, 'SELECT pg_try_advisory_lock(99)'), false)
        await pause()
      }
      assert.equal(await one(client, 'SELECT count(*)::int FROM mine'), 10)
      await fails('42P01', other.query('SELECT * FROM mine'))
    })
    assert.equal(await one(other, 'SELECT pg_advisory_lock(99) IS NULL'), false)
    assert.equal(await one(other, 'SELECT pg_advisory_unlock(99)'), true)
  }))

check('a client that vanishes is rolled back', () =>
  connected({}, async (client) => {
    await client.query("DROP TABLE IF EXISTS n_lost; CREATE TABLE n_lost (n int); SET lock_timeout = '5s'")
    for (const _ of range(3)) {
      const lost = new pg.Client()
      lost.on('error', () => {})
      await lost.connect()
      await lost.query('BEGIN; INSERT INTO n_lost VALUES (1)')
      lost.connection.stream.destroy()
      await client.query('LOCK TABLE n_lost IN ACCESS EXCLUSIVE MODE; TRUNCATE n_lost')
      assert.equal(await one(client, 'SELECT count(*)::int FROM n_lost'), 0)
    }
  }))

check('a pool of the driver serves many at once', async () => {
  const pool = new pg.Pool({ max: 20, application_name: 'from the pool' })
  const work = async (number) => {
    for (const n of range(15)) {
      const client = await pool.connect()
      try {
        await client.query(`SET work_mem = '${1100 + number}kB'`)
        const text = "SELECT $1::text AS token, current_setting('work_mem') AS mem, current_setting('application_name') AS name"
        const { rows } = await client.query({ name: n % 2 ? 'token' : undefined, text, values: [`${number}/${n}`] })
        assert.deepEqual(rows, [{ token: `${number}/${n}`, mem: `${1100 + number}kB`, name: 'from the pool' }])
        await client.query('BEGIN')
        await fails('22012', client.query('SELECT 1 / 0'))
        await client.query('ROLLBACK')
      } finally {
        client.release()
      }
      assert.equal((await pool.query('SELECT $1::int AS n', [n])).rows[0].n, n)
    }
  }
  await Promise.all(range(40).map(work))
  await pool.end()
})
