// What applications do with node-postgres (pg, pg-cursor, pg-query-stream, pg-copy-streams).

import './sessions.mjs'
import './statements.mjs'
import { main } from './checks.mjs'

await main()
