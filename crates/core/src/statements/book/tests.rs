//! What is counted is found again, whatever had to make way.

use howdah_wire::sqlstate::SqlState;

use super::*;
use crate::statements::{Call, Tally};

fn form(number: u64, class: Class) -> Arc<Analysis> {
    let mut analysis = Analysis::unknown();
    analysis.fingerprint = howdah_sql::Fingerprint(number);
    analysis.class = class;
    analysis.text = format!("form {number}").into();
    Arc::new(analysis)
}

fn sum(book: &Book) -> Sums {
    let mut sum = Sums::default();
    book.entries().for_each(|entry| sum.add(&entry.sums));
    sum
}

#[test]
fn a_million_forms_fit_into_the_bound_and_all_their_calls_are_there() {
    let (mut tally, mut book) = (Tally::new(100), Book::new(400));
    let scope = book.scope("app", "web");
    let mut sent = Sums::default();
    for number in 0..1_000_000_u64 {
        let class = if number % 3 == 0 { Class::Write } else { Class::Read };
        let overhead_us = (number % 2 == 0).then_some(number % 60);
        let (rows, server_us) = (number % 5, number % 7_000);
        let call = Call { rows, server_us, overhead_us, ..Call::default() };
        tally.on_call(scope, &form(number, class), &call);
        sent.calls += 1;
        sent.rows += call.rows;
        sent.server_us += call.server_us;
        sent.overhead_us += overhead_us.unwrap_or(0);
        if number % 250 == 249 {
            tally.empty_into(&mut book, number / 1_000);
            assert!(tally.len() <= 100 + 2);
            assert!(book.entries().count() <= 400 + 2);
        }
    }
    tally.empty_into(&mut book, 1_000);
    let found = sum(&book);
    assert_eq!((found.calls, found.rows, found.server_us), (sent.calls, sent.rows, sent.server_us));
    let times: u64 = book.entries().map(|entry| entry.times.count()).sum();
    assert_eq!(times, sent.calls);
    assert_eq!(found.overhead_us, sent.overhead_us);
    let measured: u64 = book.entries().map(|entry| entry.overheads.histogram().count()).sum();
    assert_eq!(measured, sent.calls / 2);
    let totals: u64 = book.totals().map(|(_, _, total)| total.times.count()).sum();
    assert_eq!(totals, sent.calls);
    let writes = book.totals().find(|(_, kind, _)| *kind == "write");
    assert_eq!(writes.map(|(_, _, total)| total.sums.calls), Some(333_334));
    assert!(book.forgotten() > 0);
}

#[test]
fn calls_are_told_apart_by_where_they_come_from() {
    let (mut tally, mut book) = (Tally::new(10), Book::new(4));
    let scope = book.scope("app", "web");
    for number in 0..60_u64 {
        let (shop, job) = (tally.name("shop"), tally.name("job"));
        let address = tally.name("10.0.0.1");
        let application = if number % 3 == 0 { job } else { shop };
        let origin = [application, address, tally.name(&format!("page {}", number % 30))];
        let call = Call { server_us: 10, origin, ..Call::default() };
        tally.on_call(scope, &form(number % 6, Class::Read), &call);
        tally.empty_into(&mut book, number);
    }
    let mut found = [const { BTreeMap::<String, u64>::new() }; FACETS];
    for entry in book.entries() {
        for (found, shares) in found.iter_mut().zip(&entry.origins) {
            for (name, share) in shares.iter() {
                *found.entry(name.to_string()).or_default() += share.calls;
                assert_eq!(share.time_us, 10 * share.calls);
            }
        }
    }
    let [applications, addresses, routes] = found;
    assert_eq!(applications, [("job".to_owned(), 20), ("shop".to_owned(), 40)].into());
    assert_eq!(addresses, [("10.0.0.1".to_owned(), 60)].into());
    assert_eq!(routes.values().sum::<u64>(), 60);
}

#[test]
fn forms_are_found_by_where_they_come_from_and_facets_add_up_over_them() {
    let (mut tally, mut book) = (Tally::new(200), Book::new(200));
    let scope = book.scope("app", "web");
    for number in 0..200_u64 {
        let name = if number % 4 == 0 { "job" } else { "shop" };
        let address = format!("10.0.0.{}", number % 70);
        let origin = [tally.name(name), tally.name(&address), tally.name("")];
        let call = Call { server_us: 1_000, origin, ..Call::default() };
        tally.on_call(scope, &form(number % 70 + 1, Class::Read), &call);
    }
    tally.empty_into(&mut book, 1);
    let parts = |wanted: [Option<&str>; FACETS]| -> (usize, u64) {
        let parts: Vec<Share> = book.entries().filter_map(|entry| entry.part(wanted)).collect();
        (parts.len(), parts.iter().map(|part| part.calls).sum())
    };
    assert_eq!(parts([None; FACETS]), (70, 200));
    assert_eq!(parts([Some("job"), None, None]).1, 50);
    assert_eq!(parts([Some("nobody"), None, None]), (0, 0));
    assert_eq!(parts([None, Some("10.0.0.3"), None]), (1, 3));
    assert_eq!(parts([Some("job"), Some("10.0.0.0"), None]), (1, 2));

    let [applications, addresses, routes] =
        crate::statements::origins(book.entries().map(|entry| &entry.origins), 50);
    let job = &applications[1];
    assert_eq!((&*job.0, job.1), ("job", Share { calls: 50, time_us: 50_000 }));
    assert_eq!((addresses.len(), &*addresses[50].0), (51, OTHERS));
    assert_eq!(addresses.iter().map(|(_, share)| share.calls).sum::<u64>(), 200);
    assert_eq!((routes.len(), &*routes[0].0, routes[0].1.calls), (1, "", 200));
}

#[test]
fn what_takes_the_most_time_stays() {
    let (mut tally, mut book) = (Tally::new(10), Book::new(16));
    let scope = book.scope("app", "web");
    for number in 0..500 {
        let slow = form(7_777, Class::Read);
        tally.on_call(scope, &slow, &Call { server_us: 1_000_000, ..Call::default() });
        tally.on_call(scope, &form(number, Class::Read), &Call::default());
        tally.empty_into(&mut book, number);
    }
    let slow = book.entries().find(|entry| entry.fingerprint == Some(7_777)).unwrap();
    assert_eq!(slow.sums.calls, 500);
    assert_eq!(&*slow.text, "form 7777");
    assert_eq!(slow.seen, (0, 499));
    assert_eq!(slow.minutes.len(), 9);
}

#[test]
fn errors_are_counted_by_fault_and_by_class() {
    let (mut tally, mut book) = (Tally::new(10), Book::new(16));
    let scope = book.scope("app", "web");
    for code in [SqlState::QUERY_CANCELED, SqlState::SYNTAX_ERROR, SqlState::SYNTAX_ERROR] {
        let call = Call { error: Some(code), ..Call::default() };
        tally.on_call(scope, &form(1, Class::Read), &call);
        tally.on_error(scope, code);
    }
    tally.empty_into(&mut book, 1);
    assert_eq!(sum(&book).errors, [2, 0, 0, 1]);
    let errors: Vec<_> = book.errors().collect();
    assert_eq!(errors, [("app", *b"42", 2), ("app", *b"57", 1)]);
}

#[test]
fn scopes_without_a_number_are_one() {
    let mut book = Book::new(16);
    let first = book.scope("app", "web");
    assert_eq!(book.scope("app", "web"), first);
    for number in 0..limits::STATEMENT_SCOPES {
        book.scope("app", &number.to_string());
    }
    assert_eq!(book.scope("late", "late"), ScopeId::default());
    assert_eq!(book.scope("app", "web"), first);
}
