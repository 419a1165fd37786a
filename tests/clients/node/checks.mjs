// Runs the checks of node-postgres and says what became of them: `ok name`, `FAIL name: why`, and a last line of counts.
// A check that takes longer than LIMIT has failed. The server is named by the environment: PGHOST, PGPORT, PGUSER, PGPASSWORD,
// PGDATABASE. The checks do not know whether PostgreSQL itself or something in front of it answers. Arguments name the only
// checks to run.

import assert from 'node:assert/strict'
import pg from 'pg'

const LIMIT = 30_000
const CHECKS = new Map()

/** Adds a check; its name is the sentence that it shows. */
export function check(name, run) {
  CHECKS.set(name, run)
}

/** Runs all checks in the order of their definition and ends the program. */
export async function main() {
  const wanted = [...CHECKS].filter(([name]) => process.argv.length < 3 || process.argv.includes(name))
  let [passed, failed] = [0, 0]
  process.on('unhandledRejection', (error) => {
    failed += 1
    console.log(`FAIL after its check: ${error}`)
  })
  for (const [name, run] of wanted) {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end within ${LIMIT} ms`)), LIMIT)
    })
    try {
      await Promise.race([run(), late])
      passed += 1
      console.log(`ok ${name}`)
    } catch (error) {
      failed += 1
      const line = /\/(\w+\.mjs:\d+)/.exec(error.stack ?? '')?.[1]
      console.log(`FAIL ${name}: ${String(error).replace(/\s+/g, ' ').slice(0, 600)} (${error.code ?? ''} ${line ?? ''})`)
    } finally {
      clearTimeout(timer)
    }
  }
  console.log(`${passed} ok, ${failed} failed`)
  process.exit(failed || !passed ? 1 : 0)
}

/** Gives `work` a connected client, which is closed afterwards. */
export async function connected(options, work) {
  const client = new pg.Client(options)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** The only value of a query. */
export async function one(client, text, values) {
  const result = await client.query({ text, values, rowMode: 'array' })
  return result.rows[0][0]
}

/** The error, with this SQLSTATE, that a promise must end with. */
export async function fails(code, promise) {
  try {
    await promise
  } catch (error) {
    assert.equal(error.code, code, String(error))
    return error
  }
  return assert.fail(`no error ${code}`)
}

/** Says how many servers have served one connection; whoever started this program knows how many it must be. */
export function servedBy(backends) {
  console.log(`servers ${new Set(backends).size}`)
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** A moment in which others get servers and give them back. */
export function pause() {
  return sleep(Math.random() * 4)
}

/** The numbers from 0 below `count`. */
export function range(count) {
  return [...Array(count).keys()]
}
