//! Whether a rule keeps a table whole, whichever way the statements come. Not the rest of what is said of rules: for that there
//! are tests of their own.
//!
//! Invariant: what is found is found by looking at the answer and at the table, never at what Howdah says of itself.

use crate::Rig;
use crate::raw::Frames;

/// The rule: no `DELETE` without a condition.
const RULE: &str =
    "[[rule]]\nname = \"no unbounded writes\"\nunbounded = true\naction = \"block\"\n";

/// Every way in which a refused `DELETE` was answered otherwise than with 42501, or took a row.
///
/// # Panics
/// When the rig does not start.
#[must_use]
pub fn violations() -> Vec<String> {
    let rig = Rig::builder().more(RULE).in_process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (id int)");
    let mut client = rig.client();
    let delete = "DELETE FROM t";
    let ways = [
        ("simple", Frames::new().query(delete)),
        ("extended", Frames::new().extended(delete, &[]).sync()),
        ("named", Frames::new().parse("n", delete).execute_prepared("n", &[]).sync()),
        ("behind another", Frames::new().query("SELECT 1; DELETE FROM t")),
    ];
    let mut violations = Vec::new();
    for (way, frames) in ways {
        owner.run("TRUNCATE t; INSERT INTO t VALUES (1), (2), (3)");
        let answer = client.answer(&frames, 1).summary();
        let left = owner.value("SELECT count(*) FROM t");
        if answer != "E(42501) Z(I)" || left != "3" {
            violations.push(format!("{way}: answered with {answer}, {left} of 3 rows left"));
        }
    }
    violations
}
