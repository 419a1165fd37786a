//! Predicted sizes against indexes that PostgreSQL has built. Columns that depend on each other are not among them: they are predicted too large.

use howdah::advisor::size::{Shape, bytes};

use crate::bed::Shop;

/// Table, keys, stored columns.
const SHAPES: [(&str, &[&str], &[&str]); 13] = [
    ("customers", &["country"], &[]),
    ("customers", &["segment"], &[]),
    ("customers", &["name"], &[]),
    ("customers", &["balance"], &[]),
    ("lines", &["line", "amount"], &[]),
    ("orders", &["customer"], &[]),
    ("orders", &["placed"], &[]),
    ("orders", &["state"], &[]),
    ("orders", &["customer"], &["total"]),
    ("customers", &["country", "balance"], &[]),
    ("orders", &["total"], &[]),
    ("lines", &["product"], &[]),
    ("lines", &["product"], &["amount", "price"]),
];

#[test]
fn sizes_are_predicted_within_a_tenth_of_what_is_built() {
    let shop = Shop::without_hypopg();
    let client = shop.runtime.block_on((shop.connect())()).unwrap();
    let catalog = shop.runtime.block_on(howdah::ops::catalog::read(&client)).unwrap();
    let mut errors = Vec::new();
    for (at, (name, keys, included)) in SHAPES.iter().enumerate() {
        let table = catalog.tables.iter().find(|table| table.name == *name).unwrap();
        let numbers = |names: &[&str]| -> Vec<i16> {
            let number = |name: &&str| {
                table.columns.iter().find(|column| column.name == **name).unwrap().number
            };
            names.iter().map(number).collect()
        };
        let (key_numbers, stored) = (numbers(keys), numbers(included));
        let shape = Shape { keys: &key_numbers, included: &stored, unique: false };
        let predicted = bytes(&catalog, table, shape).unwrap() as f64;
        let include = if included.is_empty() {
            String::new()
        } else {
            format!("INCLUDE ({})", included.join(", "))
        };
        shop.psql(&format!("CREATE INDEX size_{at} ON {name} ({}) {include}", keys.join(", ")));
        let built: f64 =
            shop.psql(&format!("SELECT pg_relation_size('size_{at}')")).parse().unwrap();
        // Of a small index two pages more or less are a large share.
        let error =
            if (predicted - built).abs() <= 16_384.0 { 0.0 } else { predicted / built - 1.0 };
        errors.push((error, format!("{name} {keys:?} {included:?}: {predicted} for {built}")));
    }
    errors.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    let (worst, which) = errors.last().unwrap();
    assert!(worst.abs() < 0.1, "{:.1} %: {which}", worst * 100.0);
    let median = errors[errors.len() / 2].0;
    assert!(median.abs() < 0.03, "median {:.1} %", median * 100.0);
}
