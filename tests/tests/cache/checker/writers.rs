//! Those who write: each its own places, by turns through Howdah and past it, each version in the way of its place.
//!
//! Invariant: what a session has written through Howdah it reads, by whatever it was written.

use std::time::Duration;

use howdah_tests::raw::{Connection, Frames};

use super::places::{Place, ROWS};
use super::{Dice, Run};

/// One after the other, each a statement of its own.
fn all(client: &mut Connection, statements: &[&str]) {
    for sql in statements {
        client.run(sql);
    }
}

impl Run<'_> {
    /// Writes a place, and reads what it has written through Howdah. `pause`: milliseconds between two writes, at most.
    fn writes(
        &self,
        place: Place,
        pause: usize,
        seed: u64,
        write: impl Fn(&mut Connection, usize, u64, &mut Dice),
    ) {
        let mut clients = [self.bed.client(), self.bed.direct()];
        if place == Place::Hasty {
            clients.iter_mut().for_each(|client| drop(client.run("SET synchronous_commit = off")));
        }
        let mut dice = Dice(seed);
        while self.goes_on() {
            let (row, by) = (dice.below(ROWS), dice.below(2));
            let client = &mut clients[by];
            let version =
                self.history(place, row).write(|version| write(client, row, version, &mut dice));
            if by == 0 {
                self.own(client, place, row, version);
            }
            self.pause(pause, &mut dice);
        }
    }

    fn own(&self, client: &mut Connection, place: Place, row: usize, version: u64) {
        let [read, _] = place.reads();
        let seen = client.value(&format!("{read}{row}"));
        self.check(seen == version.to_string(), || {
            format!("a session has written {version} to {place:?} {row} and reads {seen}")
        });
        self.on_read();
    }

    fn pause(&self, most: usize, dice: &mut Dice) {
        std::thread::sleep(Duration::from_millis(dice.below(most) as u64));
    }

    /// Writes by key through Howdah.
    pub(super) fn own_writer(&self) {
        let mut client = self.bed.client();
        let mut dice = Dice(1);
        while self.goes_on() {
            let row = dice.below(ROWS / 2) * 2;
            let version = self.history(Place::Row, row).write(|version| {
                client.run(&format!("UPDATE c SET v = {version} WHERE id = {row}"));
            });
            self.own(&mut client, Place::Row, row, version);
            self.pause(6, &mut dice);
        }
    }

    /// Writes directly, two tables at once.
    pub(super) fn foreign_writer(&self) {
        let mut direct = self.bed.direct();
        let mut dice = Dice(2);
        while self.goes_on() {
            let row = dice.below(ROWS / 2) * 2 + 1;
            self.history(Place::Row, row).write(|version| {
                direct.run("BEGIN");
                direct.run(&format!("UPDATE pair SET v = 0 WHERE id = {row}"));
                direct.run(&format!("UPDATE c SET v = 0 WHERE id = {row}"));
                direct.run(if dice.below(8) == 0 { "ROLLBACK; BEGIN" } else { "SELECT 1" });
                direct.run(&format!("UPDATE pair SET v = {version} WHERE id = {row}"));
                direct.run(&format!("UPDATE c SET v = {version} WHERE id = {row}"));
                direct.run("COMMIT");
            });
            self.pause(6, &mut dice);
        }
    }

    /// Writes what a trigger writes.
    pub(super) fn trigger(&self) {
        self.writes(Place::Shadow, 10, 3, |client, row, version, _| {
            client.run(&format!("UPDATE poke SET v = {version} WHERE id = {row}"));
        });
    }

    /// Writes what a foreign key updates, or deletes.
    pub(super) fn cascade(&self) {
        self.writes(Place::Child, 20, 10, |client, row, version, dice| {
            if dice.below(4) > 0 {
                client.run(&format!("UPDATE parent SET v = {version} WHERE id = {row}"));
                return;
            }
            client.run("BEGIN");
            client.run(&format!("DELETE FROM parent WHERE id = {row}"));
            client.run(&format!("INSERT INTO parent VALUES ({row}, {version})"));
            client.run(&format!("INSERT INTO child VALUES ({row}, {version})"));
            client.run("COMMIT");
        });
    }

    /// Writes all rows at once.
    pub(super) fn batch(&self) {
        self.writes(Place::Batch, 40, 11, |client, _, version, _| {
            client.run(&format!("UPDATE batch SET v = {version}"));
        });
    }

    /// Writes by what looks like a read.
    pub(super) fn function(&self) {
        self.writes(Place::Called, 20, 12, |client, row, version, _| {
            client.value(&format!("SELECT call({row}, {version})"));
        });
    }

    /// Empties a table and fills it again, in one transaction.
    pub(super) fn refill(&self) {
        self.writes(Place::Refilled, 60, 13, |client, _, version, _| {
            let fill = format!("INSERT INTO refilled SELECT id, {version} FROM fixed");
            all(client, &["BEGIN", "TRUNCATE refilled", &fill, "COMMIT"]);
        });
    }

    /// Puts rows by COPY.
    pub(super) fn copy(&self) {
        self.writes(Place::Copied, 20, 14, |client, row, version, _| {
            all(client, &["BEGIN", &format!("DELETE FROM copied WHERE id = {row}")]);
            client.send(&Frames::new().query("COPY copied FROM STDIN")).expect("it is sent");
            client.until(b'G', 1).expect("it may be sent");
            let line = format!("{row}\t{version}\n");
            client.answer(&Frames::new().copy_data(line.as_bytes()).copy_done(), 1);
            client.run("COMMIT");
        });
    }

    /// Writes by transactions that are prepared, and committed by whoever comes; some are rolled back.
    pub(super) fn two_phases(&self) {
        self.writes(Place::Prepared, 20, 15, |client, row, version, dice| {
            let prepare = |client: &mut Connection, version: u64| {
                let write = format!("UPDATE prepared SET v = {version} WHERE id = {row}");
                all(client, &["BEGIN", &write, "PREPARE TRANSACTION 'checked'"]);
            };
            if dice.below(6) == 0 {
                prepare(client, 0);
                client.run("ROLLBACK PREPARED 'checked'");
            }
            prepare(client, version);
            self.pause(10, dice);
            client.run("COMMIT PREPARED 'checked'");
        });
    }

    /// Writes by commits that are acknowledged before they are in the log.
    pub(super) fn hasty(&self) {
        self.writes(Place::Hasty, 10, 16, |client, row, version, _| {
            client.run(&format!("UPDATE hasty SET v = {version} WHERE id = {row}"));
        });
    }

    /// A transaction with half a million rows.
    pub(super) fn write_much(&self, direct: &mut Connection) {
        direct.run("TRUNCATE bulk");
        self.history(Place::Huge, 0).write(|version| {
            let rows = "INSERT INTO bulk SELECT generate_series(1, 500000)";
            all(direct, &["BEGIN", rows, &format!("UPDATE huge SET v = {version}"), "COMMIT"]);
        });
    }

    /// One round of definitions that change, two of which change what is read.
    pub(super) fn redefine(&self, direct: &mut Connection) {
        all(direct, &["CREATE INDEX passing ON c (v)", "ALTER TABLE batch ALTER v SET NOT NULL"]);
        self.history(Place::Viewed, 0).write(|version| {
            let view =
                format!("CREATE OR REPLACE VIEW viewed AS SELECT id, {version} AS v FROM fixed");
            direct.run(&view);
        });
        all(direct, &["DROP INDEX passing", "ALTER TABLE batch ALTER v DROP NOT NULL"]);
        self.history(Place::Rewritten, 0).write(|version| {
            direct.run(&format!("ALTER TABLE rewritten ALTER v TYPE int USING {version}"));
        });
    }
}
