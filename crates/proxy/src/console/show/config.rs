//! `SHOW CONFIG`: every key with its value, and PgBouncer's names for those that have one. The configuration makes the list;
//! exporters expect exactly these columns.

use super::super::table::{Columns, Kind, Row, cell};
use super::View;
use crate::settings::ShownKey;

use Kind::Text;

pub(super) const COLUMNS: Columns =
    &[("key", Text), ("value", Text), ("default", Text), ("changeable", Text)];

pub(super) fn rows(view: &View) -> Vec<Row> {
    let row = |key: &ShownKey| {
        let changeable = if key.reloads { "yes" } else { "no" };
        vec![cell(&key.name), cell(&key.value), key.default.clone(), cell(changeable)]
    };
    view.settings.shown.iter().map(row).collect()
}
