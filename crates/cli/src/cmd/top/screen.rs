//! A screen of `howdah top`: what happened between two looks, as lines of a given size.
//!
//! Invariant: never more lines than there are, and no line longer than it may be.

use std::collections::HashMap;
use std::time::Instant;

use serde::Serialize;

use crate::cmd::pools::millis;
use crate::console::{Row, cell, number};
use crate::terminal::Paint;

/// What the console said at one moment.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) address: String,
    pub(super) statements: Vec<Row>,
    pub(super) pools: Vec<Row>,
    pub(super) alerts: Vec<Row>,
    pub(super) at: Instant,
}

/// What statements are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    Time,
    Calls,
    Errors,
    Wait,
}

impl Order {
    pub(super) const fn of_key(key: u8) -> Option<Self> {
        match key {
            b't' => Some(Self::Time),
            b'c' => Some(Self::Calls),
            b'e' => Some(Self::Errors),
            b'w' => Some(Self::Wait),
            _ => None,
        }
    }
}

/// What one form did, per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Line {
    fingerprint: String,
    user: String,
    database: String,
    statement: String,
    calls: f64,
    /// Seconds per second: how many of it ran or waited at once.
    busy: f64,
    waiting: f64,
    errors: f64,
    /// Microseconds of one call.
    each_us: f64,
}

/// What happened between two looks.
#[derive(Debug, Serialize)]
pub(super) struct View {
    address: String,
    seconds: f64,
    order: Order,
    calls: f64,
    errors: f64,
    busy: f64,
    clients_active: u64,
    clients_waiting: u64,
    clients_idle: u64,
    servers_active: u64,
    servers_idle: u64,
    alerts: Vec<String>,
    statements: Vec<Line>,
}

type Form = (String, String, String);

fn form(row: &Row) -> Form {
    (cell(row, "fingerprint"), cell(row, "database"), cell(row, "user"))
}

impl View {
    /// What happened between two looks.
    pub(super) fn between(before: &Seen, now: &Seen, order: Order) -> Self {
        let seconds = (now.at - before.at).as_secs_f64();
        // Of forms that count together there is one line for each kind.
        let mut earlier = HashMap::<Form, Vec<&Row>>::new();
        before.statements.iter().for_each(|row| earlier.entry(form(row)).or_default().push(row));
        let line = |row: &Row| {
            let kind = |other: &&&Row| other.get("kind") == row.get("kind");
            let known = earlier.get(&form(row)).and_then(|rows| rows.iter().find(kind));
            let since = |column: &str| {
                let before = known.map_or(0, |known| number(known, column));
                number(row, column).saturating_sub(before) as f64
            };
            let calls = since("calls");
            Line {
                fingerprint: cell(row, "fingerprint"),
                user: cell(row, "user"),
                database: cell(row, "database"),
                statement: cell(row, "statement").replace(['\n', '\r', '\t'], " "),
                calls: calls / seconds,
                busy: since("total_us") / 1e6 / seconds,
                waiting: since("wait_us") / 1e6 / seconds,
                errors: since("errors") / seconds,
                each_us: since("total_us") / calls.max(1.0),
            }
        };
        let mut statements: Vec<Line> =
            now.statements.iter().map(line).filter(|line| line.calls > 0.0).collect();
        let by = |line: &Line| match order {
            Order::Time => line.busy,
            Order::Calls => line.calls,
            Order::Errors => line.errors,
            Order::Wait => line.waiting,
        };
        statements.sort_by(|a, b| by(b).total_cmp(&by(a)));
        let sum = |of: fn(&Line) -> f64| statements.iter().map(of).sum();
        let pools = |column: &str| now.pools.iter().map(|row| number(row, column)).sum::<u64>();
        let firing = now.alerts.iter().filter(|row| cell(row, "state") == "firing");
        let idle = pools("cl_idle");
        Self {
            address: now.address.clone(),
            seconds,
            order,
            calls: sum(|line| line.calls),
            errors: sum(|line| line.errors),
            busy: sum(|line| line.busy),
            // PgBouncer counts idle clients as active.
            clients_active: pools("cl_active").saturating_sub(idle),
            clients_waiting: pools("cl_waiting"),
            clients_idle: idle,
            servers_active: pools("sv_active") + pools("sv_tested"),
            servers_idle: pools("sv_idle") + pools("sv_used"),
            alerts: firing.map(|row| cell(row, "title")).collect(),
            statements,
        }
    }

    /// As lines, for a terminal of so many lines and columns.
    pub(super) fn draw(&self, paint: Paint, (lines, columns): (usize, usize)) -> String {
        let fit = |text: String| -> String { text.chars().take(columns).collect() };
        let mut drawn = vec![
            paint.bold(&fit(format!(
                "Howdah at {}   {:.0} statements/s   {:.1} busy at once   {:.1} errors/s",
                self.address, self.calls, self.busy, self.errors
            ))),
            fit(format!(
                "clients {} active, {} waiting, {} idle   servers {} busy, {} idle",
                self.clients_active,
                self.clients_waiting,
                self.clients_idle,
                self.servers_active,
                self.servers_idle
            )),
        ];
        drawn.extend(self.alerts.iter().take(3).map(|title| paint.red(&fit(format!("! {title}")))));
        let keys = "t time  c calls  e errors  w waiting  q quit";
        drawn.push(paint.dim(&fit(format!("ordered by {}   {keys}", self.word()))));
        let heading =
            "   BUSY    CALLS/S      EACH  WAITING  ERRORS/S  FINGERPRINT       STATEMENT";
        drawn.push(paint.bold(&fit(heading.to_owned())));
        let room = lines.saturating_sub(drawn.len() + 1);
        drawn.extend(self.statements.iter().take(room).map(|line| fit(told(line))));
        if self.statements.is_empty() {
            drawn.push("Nobody asks anything right now.".to_owned());
        }
        drawn.truncate(lines.saturating_sub(1));
        drawn.join("\n") + "\n"
    }

    const fn word(&self) -> &'static str {
        match self.order {
            Order::Time => "time",
            Order::Calls => "calls",
            Order::Errors => "errors",
            Order::Wait => "waiting",
        }
    }
}

fn told(line: &Line) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "microseconds of one call"
    )]
    let each = millis(line.each_us as u64);
    let share = if line.busy > 0.0 { 100.0 * line.waiting / line.busy } else { 0.0 };
    let (name, text) = match (line.fingerprint.as_str(), line.statement.as_str()) {
        ("-" | "", _) => ("other", "(forms without a line of their own)"),
        (name, "") => (name, "(not looked at)"),
        (name, text) => (name, text),
    };
    format!(
        "{:7.2} {:10.1} {each:>9} {share:6.0} % {:9.1}  {name:<16}  {} on {}: {text}",
        line.busy, line.calls, line.errors, line.user, line.database
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn statement(name: &str, calls: u64, total_us: u64, errors: u64) -> Row {
        let (calls, total, errors) = (calls.to_string(), total_us.to_string(), errors.to_string());
        row(&[
            ("fingerprint", name),
            ("database", "shop"),
            ("user", "web"),
            ("kind", "read"),
            ("calls", &calls),
            ("total_us", &total),
            ("wait_us", "0"),
            ("errors", &errors),
            ("statement", "select\nsomething"),
        ])
    }

    fn seen(at: Instant, statements: Vec<Row>) -> Seen {
        let pools = vec![row(&[("cl_active", "5"), ("cl_idle", "3"), ("sv_active", "2")])];
        let alerts = vec![row(&[("state", "firing"), ("title", "A replica is down")])];
        Seen { address: "here".to_owned(), statements, pools, alerts, at }
    }

    fn view(order: Order) -> View {
        let begin = Instant::now();
        let before = seen(begin, vec![statement("a", 100, 1_000_000, 0)]);
        let after = vec![
            statement("a", 300, 2_000_000, 0),
            statement("b", 20, 4_000_000, 20),
            statement("c", 0, 0, 0),
        ];
        View::between(&before, &seen(begin + Duration::from_secs(2), after), order)
    }

    #[test]
    fn what_happened_between_two_looks_is_shown_per_second() {
        let view = view(Order::Time);
        assert_eq!((view.calls, view.busy, view.errors), (110.0, 2.5, 10.0));
        assert_eq!((view.clients_active, view.clients_idle, view.servers_active), (2, 3, 2));
        let names: Vec<&str> =
            view.statements.iter().map(|line| line.fingerprint.as_str()).collect();
        assert_eq!(names, ["b", "a"], "without what did nothing");
        assert_eq!(view.statements[1].each_us, 5_000.0);
        assert_eq!(Order::of_key(b'c'), Some(Order::Calls));
    }

    #[test]
    fn another_order_puts_others_first() {
        assert_eq!(view(Order::Calls).statements[0].fingerprint, "a");
        assert_eq!(view(Order::Errors).statements[0].fingerprint, "b");
    }

    #[test]
    fn a_screen_fits_the_terminal() {
        let paint = Paint::plain();
        for (lines, columns) in [(3, 20), (6, 40), (8, 80), (40, 200)] {
            let text = view(Order::Time).draw(paint, (lines, columns));
            assert!(text.lines().count() < lines, "{lines}: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}: {text}");
        }
        let text = view(Order::Time).draw(paint, (40, 200));
        assert!(
            text.contains("! A replica is down") && text.contains("web on shop: select something")
        );
    }
}
