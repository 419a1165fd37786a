//! What commits touch, told by messages that are written by hand.

use std::collections::BTreeMap;
use std::time::Instant;

use super::*;
use crate::cache::freshness::stream::History;
use crate::cache::shapes::{Kind, Relation};
use crate::cache::{ColumnSet, Snapshot};

const TABLE: Oid = 100;
const ROOT: Oid = 50;

/// A value of a row: NULL, unchanged, or a text.
#[derive(Clone, Copy)]
enum Value {
    Null,
    Same,
    Text(&'static str),
}

use Value::{Null, Same, Text};

fn tuple(out: &mut Vec<u8>, values: &[Value]) {
    out.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        match value {
            Null => out.push(b'n'),
            Same => out.push(b'u'),
            Text(text) => {
                out.push(b't');
                out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                out.extend(text.bytes());
            }
        }
    }
}

fn row(tag: u8, relation: Oid, images: &[(u8, &[Value])]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend(relation.to_be_bytes());
    for (kind, values) in images {
        out.push(*kind);
        tuple(&mut out, values);
    }
    out
}

fn begin(xid: u32) -> Vec<u8> {
    [b"B".as_slice(), &[0; 16], &xid.to_be_bytes()].concat()
}

fn end(position: u64) -> Vec<u8> {
    [b"C\0".as_slice(), &[0; 8], &position.to_be_bytes(), &[0; 8]].concat()
}

fn describe(relation: Oid, identity: u8, columns: &[(bool, &str)]) -> Vec<u8> {
    let mut out = vec![b'R'];
    out.extend(relation.to_be_bytes());
    out.extend(b"public\0t\0");
    out.push(identity);
    out.extend(u16::try_from(columns.len()).unwrap().to_be_bytes());
    for (key, name) in columns {
        out.push(u8::from(*key));
        out.extend(name.bytes());
        out.extend([0; 9]);
    }
    out
}

struct Told {
    freshness: Freshness,
    gather: Gather,
    position: u64,
}

impl Told {
    /// A table with columns id (1), tenant (2), note (4), a partition of a root that has them as 1, 3, 2. Sets: id, tenant of the
    /// table, and tenant of the root.
    fn new(identity: u8) -> Self {
        let freshness = Freshness::new(1 << 12, Instant::now(), Box::new(|| {}));
        freshness.on_begin(History { system: 1, timeline: 1 }, Lsn(10));
        let mut gather = Gather::new(b"mark");
        let named = |names: &[(&str, i16)]| {
            names.iter().map(|(name, number)| (name.as_bytes().into(), *number)).collect()
        };
        let table = Relation {
            columns: named(&[("id", 1), ("tenant", 2), ("note", 4)]),
            parents: vec![ROOT],
            ..Relation::new(Kind::Table, true)
        };
        let root = Relation {
            columns: named(&[("id", 1), ("tenant", 3), ("note", 2)]),
            ..Relation::new(Kind::Partitioned, false)
        };
        let shapes = Shapes::new(BTreeMap::from([(TABLE, table), (ROOT, root)]));
        freshness.on_settled(shapes.seen());
        gather.set_shapes(Arc::new(shapes));
        let mut told = Self { freshness, gather, position: 10 };
        told.commit(&[b"M\x01\0\0\0\0\0\0\0\0howdah\0\0\0\0\x06mark/0"]);
        told.freshness.on_heartbeat_sent(Instant::now());
        assert!(told.freshness.on_snapshot("8:8:".parse::<Snapshot>().unwrap()));
        for set in
            [ColumnSet::new(TABLE, &[1]), ColumnSet::new(TABLE, &[2]), ColumnSet::new(ROOT, &[3])]
        {
            assert_eq!(told.freshness.since(&set), Err(crate::cache::Unseen::Soon));
        }
        let key = identity == b'd';
        let columns = [(true, "id"), (!key, "tenant"), (!key, "note")];
        told.commit(&[&describe(TABLE, identity, &columns)]);
        told
    }

    fn heard(&mut self, messages: &[&[u8]]) -> Heard {
        self.position += 10;
        let begin = begin(7);
        let end = end(self.position);
        let all = [&begin[..]].into_iter().chain(messages.iter().copied()).chain([&end[..]]);
        let mut heard = None;
        for message in all {
            heard = self.gather.on_message(message, &self.freshness).unwrap();
        }
        heard.unwrap()
    }

    fn commit(&mut self, messages: &[&[u8]]) {
        let heard = self.heard(messages);
        self.freshness.on_commit(heard.commit, heard.heartbeat);
    }

    /// Which of all tags one message raises.
    fn raised(&mut self, message: &[u8]) -> Vec<&'static str> {
        let touched = self.heard(&[message]).commit.touched;
        let texts = |values: &'static [(i16, &'static str)]| {
            values.iter().map(|(number, text)| (*number, text.as_bytes()))
        };
        let all = [
            ("table", Tag::table(TABLE)),
            ("whole", Tag::whole(TABLE)),
            ("id=1", Tag::row(TABLE, texts(&[(1, "1")]))),
            ("id=2", Tag::row(TABLE, texts(&[(1, "2")]))),
            ("id=?", Tag::columns(TABLE, &[1])),
            ("tenant=a", Tag::row(TABLE, texts(&[(2, "a")]))),
            ("tenant=b", Tag::row(TABLE, texts(&[(2, "b")]))),
            ("tenant=?", Tag::columns(TABLE, &[2])),
            ("root", Tag::table(ROOT)),
            ("root tenant=a", Tag::row(ROOT, texts(&[(3, "a")]))),
            ("root tenant=b", Tag::row(ROOT, texts(&[(3, "b")]))),
            ("root tenant=?", Tag::columns(ROOT, &[3])),
            ("root whole", Tag::whole(ROOT)),
        ];
        let is_raised = |tag: &Tag| touched.any(&[self.freshness.slot(*tag)]);
        all.iter().filter(|(_, tag)| is_raised(tag)).map(|(name, _)| *name).collect()
    }
}

#[test]
fn with_the_key_alone_old_values_are_known_of_the_key_alone() {
    let mut told = Told::new(b'd');
    let new = [Text("1"), Text("a"), Null];
    let insert = row(b'I', TABLE, &[(b'N', &new)]);
    assert_eq!(told.raised(&insert), ["table", "id=1", "tenant=a", "root", "root tenant=a"]);
    let update = row(b'U', TABLE, &[(b'N', &new)]);
    assert_eq!(
        told.raised(&update),
        ["table", "id=1", "tenant=a", "tenant=?", "root", "root tenant=a", "root tenant=?"]
    );
    let key = [Text("2"), Null, Null];
    let of_key = row(b'U', TABLE, &[(b'K', &key), (b'N', &new)]);
    assert_eq!(
        told.raised(&of_key),
        ["table", "id=1", "id=2", "tenant=a", "tenant=?", "root", "root tenant=a", "root tenant=?"]
    );
    let delete = row(b'D', TABLE, &[(b'K', &key)]);
    assert_eq!(told.raised(&delete), ["table", "id=2", "tenant=?", "root", "root tenant=?"]);
}

#[test]
fn with_full_identity_everything_is_told_exactly() {
    let mut told = Told::new(b'f');
    let (old, new) = ([Text("1"), Text("a"), Text("x")], [Text("1"), Text("b"), Same]);
    let update = row(b'U', TABLE, &[(b'O', &old), (b'N', &new)]);
    assert_eq!(
        told.raised(&update),
        ["table", "id=1", "tenant=a", "tenant=b", "root", "root tenant=a", "root tenant=b"]
    );
    let delete = row(b'D', TABLE, &[(b'O', &[Text("2"), Null, Null])]);
    assert_eq!(told.raised(&delete), ["table", "id=2", "root"], "no equality finds NULL");
}

#[test]
fn what_is_not_told_raises_something_coarser() {
    let mut told = Told::new(b'd');
    let unchanged = row(b'U', TABLE, &[(b'N', &[Text("1"), Same, Null])]);
    let raised = told.raised(&unchanged);
    for coarse in ["whole", "root whole", "tenant=?"] {
        assert!(raised.contains(&coarse), "{coarse} in {raised:?}");
    }
    let truncate = [b"T\0\0\0\x01\0".as_slice(), &TABLE.to_be_bytes()].concat();
    assert_eq!(told.raised(&truncate), ["whole", "root whole"]);
    // A relation, or a column, that the catalog does not have.
    let other = row(b'I', 999, &[(b'N', &[Text("1")])]);
    let heard = told.heard(&[&other]);
    assert!(heard.unknown && heard.commit.touched == Touched::Everything);
    told.commit(&[&describe(TABLE, b'd', &[(true, "id"), (false, "renamed")])]);
    let row = row(b'I', TABLE, &[(b'N', &[Text("1"), Text("a")])]);
    assert!(told.heard(&[&row]).unknown);
}

#[test]
fn a_set_that_is_asked_for_in_the_middle_of_a_block_counts_by_the_whole_relation() {
    let mut told = Told::new(b'd');
    let mut hear = |message: &[u8]| told.gather.on_message(message, &told.freshness).unwrap();
    let block = |xid: u32| [b"S".as_slice(), &xid.to_be_bytes(), &[1]].concat();
    let within = |xid: u32, message: &[u8]| {
        let (tag, rest) = message.split_first().unwrap();
        [&[*tag][..], &xid.to_be_bytes(), rest].concat()
    };
    let insert = row(b'I', TABLE, &[(b'N', &[Text("1"), Text("a"), Text("z")])]);
    for message in [block(70), within(70, &insert), b"E".to_vec()] {
        assert_eq!(hear(&message), None);
    }
    let set = ColumnSet::new(TABLE, &[4]);
    assert_eq!(told.freshness.since(&set), Err(crate::cache::Unseen::Soon));
    told.commit(&[]);
    assert!(told.freshness.since(&set).is_ok());
    let commit = [b"c".as_slice(), &70_u32.to_be_bytes(), &end(500)[1..]].concat();
    let heard = told.gather.on_message(&commit, &told.freshness).unwrap().unwrap();
    assert_eq!((heard.commit.xid, heard.commit.position), (70, Lsn(500)));
    let whole = told.freshness.slot(Tag::whole(TABLE));
    assert!(heard.commit.touched.any(&[whole]));
    // What is rolled back is forgotten.
    let mut hear = |message: &[u8]| told.gather.on_message(message, &told.freshness);
    hear(&block(71)).unwrap();
    hear(b"E").unwrap();
    let abort = [b"A".as_slice(), &71_u32.to_be_bytes(), &71_u32.to_be_bytes()].concat();
    hear(&abort).unwrap();
    let commit = [b"c".as_slice(), &71_u32.to_be_bytes(), &end(600)[1..]].concat();
    assert_eq!(hear(&commit), Err(Broken::OutOfOrder));
}

#[test]
fn heartbeats_and_definitions_are_told_by_messages_of_ours() {
    let mut told = Told::new(b'd');
    let message = |content: &str| {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [b"M\x01\0\0\0\0\0\0\0\0howdah\0".as_slice(), &length, content.as_bytes()].concat()
    };
    let heard = told.heard(&[&message(&Gather::heartbeat("mark", 17))]);
    assert_eq!((heard.heartbeat, heard.definitions), (Some(17), false));
    assert_eq!(told.heard(&[&message("other/17")]).heartbeat, None);
    assert!(told.heard(&[&message("ddl ALTER TABLE")]).definitions);
}

/// A table without parents: its rows, as they are told to whoever looks them up by `id`.
fn alone(messages: &[&[u8]]) -> Vec<String> {
    let freshness = Freshness::new(1 << 12, Instant::now(), Box::new(|| {}));
    freshness.on_begin(History { system: 1, timeline: 1 }, Lsn(10));
    let mut gather = Gather::new(b"mark");
    let columns = [("id", 1), ("note", 2), ("long", 4)];
    let columns = columns.map(|(name, number)| (name.as_bytes().into(), number)).into();
    let table = Relation { columns, ..Relation::new(Kind::Table, true) };
    let shapes = Shapes::new(BTreeMap::from([(TABLE, table)]));
    freshness.on_settled(shapes.seen());
    gather.set_shapes(Arc::new(shapes));
    let mark = b"M\x01\0\0\0\0\0\0\0\0howdah\0\0\0\0\x06mark/0";
    for message in [&begin(7)[..], mark, &end(20)] {
        if let Some(heard) = gather.on_message(message, &freshness).unwrap() {
            freshness.on_commit(heard.commit, heard.heartbeat);
        }
    }
    freshness.on_heartbeat_sent(Instant::now());
    assert!(freshness.on_snapshot("8:8:".parse::<Snapshot>().unwrap()));
    freshness.since(&ColumnSet::new(TABLE, &[1])).unwrap_err();
    let mut heard = None;
    let described = describe(TABLE, b'd', &[(true, "id"), (false, "note"), (false, "long")]);
    let (begin, end) = (begin(9), end(40));
    let around = [&begin[..], &described].into_iter();
    for message in around.chain(messages.iter().copied()).chain([&end[..]]) {
        heard = gather.on_message(message, &freshness).unwrap();
    }
    let text = |value: Option<Option<&[u8]>>| match value {
        Some(Some(text)) => String::from_utf8_lossy(text).into_owned(),
        Some(None) => "NULL".to_owned(),
        None => "?".to_owned(),
    };
    let told = |(tag, told): &(Tag, super::Told)| {
        let super::Told::Image(image) = told else { return "changed".to_owned() };
        assert_eq!(*tag, Tag::row(TABLE, image.key.iter().map(|(at, value)| (*at, &**value))));
        let key = String::from_utf8_lossy(&image.key[0].1).into_owned();
        let Some(row) = &image.row else { return format!("{key} is gone") };
        let values = [1, 2, 4].map(|at| text(row.value(at)));
        format!("{key} is {}", values.join(" "))
    };
    heard.unwrap().rows.iter().map(told).collect()
}

#[test]
fn rows_are_told_as_a_transaction_leaves_them() {
    let insert = row(b'I', TABLE, &[(b'N', &[Text("1"), Text("a"), Null])]);
    let update = row(b'U', TABLE, &[(b'N', &[Text("1"), Text("b"), Same])]);
    let moved =
        row(b'U', TABLE, &[(b'K', &[Text("1"), Null, Null]), (b'N', &[Text("2"), Null, Null])]);
    let delete = row(b'D', TABLE, &[(b'K', &[Text("2"), Null, Null])]);
    assert_eq!(alone(&[&insert, &update]), ["1 is 1 a NULL", "1 is 1 b ?"]);
    assert_eq!(alone(&[&moved, &delete]), ["1 is gone", "2 is 2 NULL NULL", "2 is gone"]);
    let text: &'static str = "x".repeat(5_000).leak();
    let large = row(b'U', TABLE, &[(b'N', &[Text("1"), Text(text), Null])]);
    assert_eq!(alone(&[&insert, &large]), ["1 is 1 a NULL", "changed"]);
    // A row is not told, or all are gone: nothing is said of any.
    let untold = row(b'U', TABLE, &[(b'N', &[Same, Text("b"), Null])]);
    let truncate = [b"T\0\0\0\x01\0".as_slice(), &TABLE.to_be_bytes()].concat();
    for other in [untold, truncate] {
        assert_eq!(alone(&[&insert, &other]), [""; 0]);
        assert_eq!(alone(&[&insert, &other, &insert]), [""; 0]);
    }
}

#[test]
fn rows_of_several_relations_are_told_to_nobody() {
    let mut told = Told::new(b'd');
    let insert = row(b'I', TABLE, &[(b'N', &[Text("1"), Text("a"), Null])]);
    assert_eq!(told.heard(&[&insert]).rows, []);
}
