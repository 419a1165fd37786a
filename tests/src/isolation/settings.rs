//! Operations on settings and role, outside of transactions.

use super::session::{Session, Trouble};

/// Time zones of this client, which no other uses.
pub(crate) fn zones(id: u64) -> Vec<String> {
    let letter = |n: u64| {
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::try_from(n % 26).expect("below 26")])
    };
    (1..9)
        .map(|hours| format!("{}{}{}-{hours}", letter(id / 676), letter(id / 26), letter(id)))
        .collect()
}

/// An amount of memory that only this client asks for. Never whole megabytes, which would be shown as such.
pub(crate) fn memory(id: u64, number: u64) -> String {
    format!("{}kB", 65 + (id * 100 + number) * 2)
}

/// A setting with a value that belongs to this client: name, the value as SET takes it, the value as it is shown.
pub(crate) fn choice(session: &mut Session) -> (&'static str, String, String) {
    let id = session.id;
    let number = session.random.below(100);
    let quoted = |value: String| (format!("'{value}'"), value);
    let (name, (written, shown)) = match session.random.below(6) {
        0 => ("application_name", quoted(format!("actor {id} {number}"))),
        1 => ("work_mem", quoted(memory(id, number))),
        2 => {
            let path = format!("schema_{id}_{number}, public");
            ("search_path", (path.clone(), path))
        }
        3 => ("TimeZone", quoted(session.random.pick(&zones(id)).clone())),
        4 => {
            // Odd, so never shown as whole seconds.
            let value = 100_001 + (id * 100 + number) * 2;
            ("statement_timeout", (value.to_string(), format!("{value}ms")))
        }
        _ => ("soak.token", quoted(format!("own '' of {id} \\ {number}").replace("'' ", ""))),
    };
    (name, written, shown)
}

/// `SET`
pub(crate) fn set(session: &mut Session) -> Result<(), Trouble> {
    let (name, written, shown) = choice(session);
    let word = *session.random.pick(&["SET", "SET SESSION", "set  /* a comment */"]);
    let to = *session.random.pick(&["=", "TO"]);
    session.command(&format!("{word} {name} {to} {written}"))?;
    session.model.state.settings.insert(name, shown);
    session.check_state()
}

/// `SELECT set_config(…, false)`
pub(crate) fn set_config(session: &mut Session) -> Result<(), Trouble> {
    let (name, _, shown) = choice(session);
    let sql = format!("SELECT set_config('{name}', '{shown}', false)");
    session.simple(&sql, "T D C Z(I)", &[&shown])?;
    session.model.state.settings.insert(name, shown);
    session.check_state()
}

/// `RESET name` and `RESET ALL`
pub(crate) fn reset(session: &mut Session) -> Result<(), Trouble> {
    let startup = session.model.startup.settings.clone();
    if session.random.once_in(3) {
        session.command("RESET ALL")?;
        session.model.state.settings = startup;
    } else {
        let (name, _, _) = choice(session);
        session.command(&format!("RESET {name}"))?;
        session.model.state.settings.insert(name, startup[name].clone());
    }
    session.check_state()
}

/// `SET ROLE`, `RESET ROLE`
pub(crate) fn set_role(session: &mut Session) -> Result<(), Trouble> {
    let role = *session.random.pick(&["role_a", "role_b", "role_c", "role_d", "none"]);
    session.command(&format!("SET ROLE {role}"))?;
    let user = session.model.startup.role.clone();
    session.model.state.role = if role == "none" { user } else { role.to_owned() };
    session.check_state()
}

/// `DISCARD ALL`
pub(crate) fn discard_all(session: &mut Session) -> Result<(), Trouble> {
    session.command("DISCARD ALL")?;
    session.model.discard_all();
    session.check_state()
}
