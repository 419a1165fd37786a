//! Servers of which it is known what should change.

use super::*;

fn setting(name: &str, shown: &str, number: f64, unit: &str) -> Setting {
    let words =
        if name == "wal_compression" { vec!["pglz".into(), "lz4".into()] } else { Vec::new() };
    Setting {
        name: name.to_owned(),
        shown: shown.to_owned(),
        number: number.is_finite().then_some(number),
        unit: unit.to_owned(),
        restart: matches!(name, "shared_buffers" | "max_connections" | "huge_pages"),
        words,
    }
}

/// PostgreSQL 15 as it is installed.
fn installed() -> Measured {
    let none = f64::NAN;
    let settings = [
        ("max_connections", "100", 100.0, ""),
        ("shared_buffers", "128MB", 16_384.0, "8kB"),
        ("huge_pages", "try", none, ""),
        ("work_mem", "4MB", 4_096.0, "kB"),
        ("hash_mem_multiplier", "2", 2.0, ""),
        ("maintenance_work_mem", "64MB", 65_536.0, "kB"),
        ("autovacuum_max_workers", "3", 3.0, ""),
        ("effective_cache_size", "4GB", 524_288.0, "8kB"),
        ("fsync", "on", none, ""),
        ("full_page_writes", "on", none, ""),
        ("wal_compression", "off", none, ""),
        ("checkpoint_timeout", "5min", 300.0, "s"),
        ("checkpoint_completion_target", "0.9", 0.9, ""),
        ("max_wal_size", "1GB", 1_024.0, "MB"),
        ("max_slot_wal_keep_size", "-1", -1.0, "MB"),
        ("random_page_cost", "4", 4.0, ""),
        ("effective_io_concurrency", "1", 1.0, ""),
        ("max_worker_processes", "8", 8.0, ""),
        ("max_parallel_workers", "8", 8.0, ""),
        ("default_statistics_target", "100", 100.0, ""),
        ("jit", "on", none, ""),
        ("autovacuum", "on", none, ""),
        ("autovacuum_vacuum_cost_limit", "-1", -1.0, ""),
        ("vacuum_cost_limit", "200", 200.0, ""),
        ("autovacuum_vacuum_cost_delay", "2ms", 2.0, "ms"),
        ("vacuum_cost_page_miss", "2", 2.0, ""),
        ("autovacuum_vacuum_scale_factor", "0.2", 0.2, ""),
        ("track_io_timing", "off", none, ""),
    ];
    let settings = settings.map(|(name, shown, number, unit)| setting(name, shown, number, unit));
    Measured { version: 150_000, settings: settings.into(), ..Measured::default() }
}

const MACHINE: Machine = Machine { memory: 64 * GB, cores: 16, disk: Some(Disk::Ssd) };

fn then(machine: Machine, measured: &Measured, name: &str) -> Option<String> {
    tune(machine, measured).into_iter().find(|change| change.name == name).map(|it| it.then)
}

#[test]
fn a_large_machine_is_used() {
    let measured = installed();
    for (name, value) in [
        ("shared_buffers", "16GB"),
        ("effective_cache_size", "45824MB"),
        ("maintenance_work_mem", "1GB"),
        ("random_page_cost", "1.1"),
        ("effective_io_concurrency", "200"),
        ("max_parallel_workers", "16"),
        ("wal_compression", "lz4"),
        ("checkpoint_timeout", "15min"),
        ("autovacuum_vacuum_cost_limit", "2000"),
        ("track_io_timing", "on"),
    ] {
        assert_eq!(then(MACHINE, &measured, name).as_deref(), Some(value), "{name}");
    }
    // Nothing was measured that speaks for these.
    for name in [
        "work_mem",
        "max_wal_size",
        "jit",
        "default_statistics_target",
        "max_connections",
        "huge_pages",
        "max_slot_wal_keep_size",
        "fsync",
    ] {
        assert_eq!(then(MACHINE, &measured, name), None, "{name}");
    }
}

#[test]
fn what_was_advised_is_not_advised_again() {
    let mut measured = installed();
    measured.temporary_bytes = 100 * GB;
    measured.checkpoints = (10, 90);
    for change in tune(MACHINE, &measured) {
        let place = measured.settings.iter_mut().find(|it| it.name == change.name).unwrap();
        place.shown.clone_from(&change.then);
        let digits: String =
            change.then.chars().take_while(|it| it.is_ascii_digit() || *it == '.').collect();
        let unit = change.then.trim_start_matches(digits.as_str());
        place.unit = match unit {
            "GB" | "MB" => "MB".into(),
            "min" => "s".into(),
            other => other.to_owned(),
        };
        let factor = match unit {
            "GB" => 1024.0,
            "min" => 60.0,
            _ => 1.0,
        };
        place.number = digits.parse::<f64>().ok().map(|it| it * factor);
    }
    measured.checkpoints = (100, 0);
    assert_eq!(tune(MACHINE, &measured), []);
}

#[test]
fn work_mem_follows_from_connections_and_is_shown_with_its_arithmetic() {
    let mut measured = installed();
    measured.temporary_bytes = 5 * GB;
    let found = tune(MACHINE, &measured);
    let change = found.iter().find(|change| change.name == "work_mem").unwrap();
    // (64 − 16 − 3) GB / 2 / (100 × 3)
    assert_eq!(change.then, "76MB");
    assert!(
        change.why.contains("100 connections × (1 sort + 2.0 hash_mem_multiplier)"),
        "{}",
        change.why
    );
    // Behind a pooler there are few of them.
    measured.connections = Some(40);
    assert_eq!(then(MACHINE, &measured, "work_mem").as_deref(), Some("192MB"));
    // More than there is.
    let small = Machine { memory: 2 * GB, cores: 2, disk: None };
    let mut greedy = installed();
    let work = greedy.settings.iter_mut().find(|it| it.name == "work_mem").unwrap();
    (work.shown, work.number) = ("64MB".to_owned(), Some(65_536.0));
    let found = tune(small, &greedy);
    let change = found.iter().find(|change| change.name == "work_mem").unwrap();
    assert!(change.why.contains("more than there is"), "{}", change.why);
    assert_eq!(change.then, "1MB");
}

#[test]
fn checkpoints_that_come_too_early_get_more_room() {
    let mut measured = installed();
    measured.checkpoints = (90, 9);
    assert_eq!(then(MACHINE, &measured, "max_wal_size"), None, "nearly all by time");
    measured.checkpoints = (20, 80);
    assert_eq!(then(MACHINE, &measured, "max_wal_size").as_deref(), Some("2GB"));
    measured.wal_rate = Some(10e6);
    // 10 MB/s for 15 minutes, and half of it again, twice as far apart at most.
    assert_eq!(then(MACHINE, &measured, "max_wal_size").as_deref(), Some("21GB"));
}

#[test]
fn a_turning_disk_an_unknown_one_and_what_was_measured_change_the_answer() {
    let mut measured = installed();
    for disk in [Some(Disk::Hdd), None] {
        let machine = Machine { disk, ..MACHINE };
        for name in ["random_page_cost", "effective_io_concurrency", "autovacuum_vacuum_cost_limit"]
        {
            assert_eq!(then(machine, &measured, name), None, "{name}");
        }
    }
    measured.compiling = Some(0.3);
    measured.largest_rows = 50e6;
    measured.slots = 1;
    measured.connections = Some(25);
    assert_eq!(then(MACHINE, &measured, "jit").as_deref(), Some("off"));
    assert_eq!(then(MACHINE, &measured, "default_statistics_target").as_deref(), Some("250"));
    assert_eq!(then(MACHINE, &measured, "autovacuum_vacuum_scale_factor").as_deref(), Some("0.1"));
    assert_eq!(then(MACHINE, &measured, "max_slot_wal_keep_size").as_deref(), Some("16GB"));
    assert_eq!(then(MACHINE, &measured, "max_connections"), None, "not worth a restart");
    measured.connections = Some(10);
    assert_eq!(then(MACHINE, &measured, "max_connections").as_deref(), Some("30"));
    let off = measured.settings.iter_mut().find(|it| it.name == "fsync").unwrap();
    off.shown = "off".to_owned();
    assert_eq!(then(MACHINE, &measured, "fsync").as_deref(), Some("on"));
}

#[test]
fn statements_set_and_reset_and_sizes_are_written_as_people_do() {
    let change = Change {
        name: "work_mem".to_owned(),
        now: "4MB".to_owned(),
        then: "64MB".to_owned(),
        why: String::new(),
        source: String::new(),
        restart: false,
    };
    assert_eq!(change.statement(), "ALTER SYSTEM SET work_mem = '64MB'");
    assert_eq!(change.way_back(), "ALTER SYSTEM RESET work_mem");
    let written = [
        (16.0 * 1024.0, "64kB"),
        (3.5 * MB as f64, "3MB"),
        (16.0 * GB as f64, "16GB"),
        (44.8 * GB as f64, "45824MB"),
    ];
    for (bytes, text) in written {
        assert_eq!(size(bytes), text);
    }
}
