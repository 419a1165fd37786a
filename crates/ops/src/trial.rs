//! Trying another text of a query out: what PostgreSQL expects both to cost, and whether both give the same rows for values from the tables. Not which other
//! texts there are.
//!
//! Invariant: read-only transactions with a timeout, rolled back; rows are compared in the server, by a hash over all of them, and none is fetched.

use howdah_sql::rewrite::{Purpose, purposes};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// One try may take this long.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s'; \
    SET LOCAL search_path TO DEFAULT; SET LOCAL plan_cache_mode = force_generic_plan";
/// Sets of values that are tried.
const SETS: usize = 3;
/// Rows in which values are looked for.
const ROWS: usize = 10_000;

/// How a query and its other text compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Expected costs: as it is, and as it could be.
    pub costs: (f64, f64),
    /// Sets of values for which both gave the same rows, as often; 0: nothing could be compared.
    pub equal: usize,
    /// For some they did not.
    pub differs: bool,
}

/// Tries it. `None`: PostgreSQL does not take one of them.
///
/// # Errors
/// The connection broke.
pub async fn attempt(client: &Client, one: &str, other: &str) -> Result<Option<Trial>, Error> {
    let in_transaction = async |work: &str| {
        client.batch_execute(BEGIN).await?;
        let done = client.simple_query(work).await;
        client.batch_execute("ROLLBACK; DEALLOCATE ALL").await?;
        match done {
            Ok(messages) => Ok(Some(cells(&messages))),
            Err(error) if error.as_db_error().is_some() && !client.is_closed() => Ok(None),
            Err(error) => Err(error),
        }
    };
    let parameters = parameters(one).max(parameters(other));
    let nulls = arguments(&vec!["NULL".to_owned(); parameters]);
    let mut costs = Vec::new();
    for sql in [one, other] {
        let plan = format!("PREPARE howdah_trial AS {sql}; EXPLAIN EXECUTE howdah_trial{nulls}");
        let cost = in_transaction(&plan).await?.and_then(|lines| cost(lines.first()?));
        let Some(cost) = cost else { return Ok(None) };
        costs.push(cost);
    }
    let &[before, after] = costs.as_slice() else { return Ok(None) };
    let mut trial = Trial { costs: (before, after), equal: 0, differs: false };
    for values in values(client, one, parameters).await? {
        let values = arguments(&values);
        let mut rows = Vec::new();
        for sql in [one, other] {
            let counted = format!(
                "PREPARE howdah_trial AS SELECT count(*) || ' ' || coalesce(sum(hashtextextended(it::text, 0)), 0) FROM ({sql}) AS it; EXECUTE howdah_trial{values}"
            );
            rows.push(in_transaction(&counted).await?);
        }
        match rows.as_slice() {
            [Some(one), Some(other)] if one == other => trial.equal += 1,
            [Some(_), Some(_)] => trial.differs = true,
            // Too slow, or it cannot be a subquery: not compared.
            _ => {}
        }
    }
    Ok(Some(trial))
}

/// Sets of values for the parameters: the k-th of what each is compared with. None when nothing is known of one of them.
async fn values(client: &Client, sql: &str, parameters: usize) -> Result<Vec<Vec<String>>, Error> {
    if parameters == 0 {
        return Ok(vec![Vec::new()]);
    }
    let known = purposes(sql);
    let mut columns = Vec::new();
    for number in 1..=parameters {
        let Some((_, purpose)) = known.iter().find(|(it, _)| *it == number) else {
            return Ok(Vec::new());
        };
        let found = match purpose {
            Purpose::Limit => vec!["10".to_owned()],
            Purpose::Offset => vec!["5".to_owned()],
            Purpose::Compared(query) => of_table(client, query).await?,
        };
        if found.is_empty() {
            return Ok(Vec::new());
        }
        columns.push(found);
    }
    let nth = |values: &Vec<String>, at: usize| {
        let value = values.get(at % values.len().max(1)).cloned().unwrap_or_default();
        format!("'{}'", value.replace('\'', "''"))
    };
    Ok((0..SETS).map(|at| columns.iter().map(|values| nth(values, at)).collect()).collect())
}

/// A few different values that a query gives.
async fn of_table(client: &Client, query: &str) -> Result<Vec<String>, Error> {
    client.batch_execute(BEGIN).await?;
    let sql = format!(
        "SELECT value::text FROM (SELECT DISTINCT value FROM ({query} LIMIT {ROWS}) AS few (value) WHERE value IS NOT NULL) AS it ORDER BY md5(value::text) LIMIT {SETS}"
    );
    let found = client.simple_query(&sql).await;
    client.batch_execute("ROLLBACK").await?;
    match found {
        Ok(messages) => Ok(cells(&messages)),
        Err(error) if error.as_db_error().is_some() && !client.is_closed() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The highest number of a parameter.
pub(crate) fn parameters(sql: &str) -> usize {
    let mut most = 0;
    for part in sql.split('$').skip(1) {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        most = most.max(digits.parse().unwrap_or(0));
    }
    most.min(1000)
}

fn arguments(values: &[String]) -> String {
    if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) }
}

/// The first cell of every row.
fn cells(messages: &[SimpleQueryMessage]) -> Vec<String> {
    let cell = |message: &SimpleQueryMessage| {
        if let SimpleQueryMessage::Row(row) = message {
            row.get(0).map(str::to_owned)
        } else {
            None
        }
    };
    messages.iter().filter_map(cell).collect()
}

/// The whole cost in the first line of a plan.
fn cost(line: &str) -> Option<f64> {
    let (_, costs) = line.split_once("(cost=")?;
    let (_, rest) = costs.split_once("..")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_parameter_counts() {
        assert_eq!(parameters("SELECT 1 FROM t WHERE a = $2 AND b = $11"), 11);
        assert_eq!(parameters("SELECT 1"), 0);
    }
}
