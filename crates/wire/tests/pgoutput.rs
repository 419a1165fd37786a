//! Every message of `pgoutput`, protocol 1 and 2, written by hand after PostgreSQL's manual and read back; cut off anywhere, or with
//! a byte behind, it is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use howdah_wire::Error;
use howdah_wire::replication::pgoutput::{Commit, Datum, Decoder, Message, Old};

/// A message under construction.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn tag(tag: u8) -> Self {
        Self(vec![tag])
    }
    fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    fn short(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    fn int(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    fn long(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    fn text(mut self, value: &str) -> Self {
        self.0.extend(value.bytes());
        self.byte(0)
    }
    /// NULL, unchanged, a text, a binary value.
    fn tuple(self) -> Self {
        let start = self.short(4).byte(b'n').byte(b'u');
        let text = start.byte(b't').int(2).byte(b'4').byte(b'2');
        text.byte(b'b').int(1).byte(7)
    }
}

const VALUES: [Datum<'static>; 4] =
    [Datum::Null, Datum::Unchanged, Datum::Text(b"42"), Datum::Binary(&[7])];

const COMMIT: Commit = Commit { lsn: 8, end_lsn: 9, committed: 10 };

fn commit(start: Bytes) -> Vec<u8> {
    start.byte(0).long(8).long(9).long(10).0
}

/// Reads it as a whole, and in no other way.
fn read<'a>(decoder: &mut Decoder, message: &'a [u8]) -> Message<'a> {
    for cut in 0..message.len() {
        let (part, _) = message.split_at(cut);
        let refused = decoder.clone().decode(part);
        assert!(matches!(refused, Err(Error::Malformed { .. })), "{part:?} is {refused:?}");
    }
    let longer = [message, b"\0"].concat();
    assert!(decoder.clone().decode(&longer).is_err(), "{longer:?}");
    decoder.decode(message).unwrap()
}

#[test]
fn what_a_transaction_is_told_with_is_read() {
    let mut decoder = Decoder::default();
    let begin = Bytes::tag(b'B').long(5).long(6).int(7).0;
    assert_eq!(read(&mut decoder, &begin), Message::Begin { final_lsn: 5, committed: 6, xid: 7 });
    let end = commit(Bytes::tag(b'C'));
    assert_eq!(read(&mut decoder, &end), Message::Commit(COMMIT));
    let origin = Bytes::tag(b'O').long(5).text("elsewhere").0;
    assert_eq!(read(&mut decoder, &origin), Message::Origin { lsn: 5, name: b"elsewhere" });
    let truncate = Bytes::tag(b'T').int(2).byte(1).int(16).int(17).0;
    let Message::Truncate { xid: None, options: 1, relations } = read(&mut decoder, &truncate)
    else {
        panic!("not a Truncate");
    };
    assert_eq!(relations.iter().collect::<Vec<_>>(), [16, 17]);
    let message = Bytes::tag(b'M').byte(1).long(5).text("howdah").int(2).byte(1).byte(2).0;
    let expected = Message::Message {
        xid: None,
        transactional: true,
        lsn: 5,
        prefix: b"howdah",
        content: &[1, 2],
    };
    assert_eq!(read(&mut decoder, &message), expected);
}

#[test]
fn rows_and_what_they_are_rows_of_are_read() {
    let mut decoder = Decoder::default();
    let relation = Bytes::tag(b'R').int(16).text("public").text("t").byte(b'd').short(2);
    let column = relation.byte(1).text("id").int(23).int(u32::MAX);
    let relation = column.byte(0).text("name").int(25).int(u32::MAX).0;
    let Message::Relation(found) = read(&mut decoder, &relation) else {
        panic!("not a Relation");
    };
    assert_eq!((found.oid, found.namespace, found.name), (16, &b"public"[..], &b"t"[..]));
    assert_eq!((found.identity, found.len(), found.xid), (b'd', 2, None));
    let columns: Vec<_> = found.columns().map(|it| (it.identity, it.name, it.type_oid)).collect();
    assert_eq!(columns, [(true, &b"id"[..], 23), (false, &b"name"[..], 25)]);

    let insert = Bytes::tag(b'I').int(16).byte(b'N').tuple().0;
    let Message::Insert { relation: 16, new, .. } = read(&mut decoder, &insert) else {
        panic!("not an Insert");
    };
    assert_eq!(new.values().collect::<Vec<_>>(), VALUES);

    for (kind, full) in [(b'K', false), (b'O', true)] {
        let update = Bytes::tag(b'U').int(16).byte(kind).tuple().byte(b'N').tuple().0;
        let delete = Bytes::tag(b'D').int(16).byte(kind).tuple().0;
        let Message::Update { old: Some(old), .. } = read(&mut decoder, &update) else {
            panic!("not an Update");
        };
        let Message::Delete { old: also, .. } = read(&mut decoder, &delete) else {
            panic!("not a Delete");
        };
        for old in [old, also] {
            let (Old::Key(tuple) | Old::Full(tuple)) = old;
            assert_eq!(matches!(old, Old::Full(_)), full);
            assert_eq!(tuple.values().collect::<Vec<_>>(), VALUES);
        }
    }
    let update = Bytes::tag(b'U').int(16).byte(b'N').tuple().0;
    assert!(matches!(read(&mut decoder, &update), Message::Update { old: None, .. }));
    let a_type = Bytes::tag(b'Y').int(90).text("public").text("mood").0;
    assert!(matches!(read(&mut decoder, &a_type), Message::Type { oid: 90, .. }));
}

#[test]
fn inside_a_block_each_message_says_whose_it_is() {
    let mut decoder = Decoder::default();
    let start = Bytes::tag(b'S').int(70).byte(1).0;
    assert_eq!(read(&mut decoder, &start), Message::StreamStart { xid: 70, first: true });
    let insert = Bytes::tag(b'I').int(71).int(16).byte(b'N').tuple().0;
    assert!(matches!(
        read(&mut decoder, &insert),
        Message::Insert { xid: Some(71), relation: 16, .. }
    ));
    let message = Bytes::tag(b'M').int(71).byte(0).long(5).text("").int(0).0;
    assert!(matches!(
        read(&mut decoder, &message),
        Message::Message { xid: Some(71), transactional: false, .. }
    ));
    let relation = Bytes::tag(b'R').int(71).int(16).text("").text("t").byte(b'f').short(0).0;
    let Message::Relation(found) = read(&mut decoder, &relation) else {
        panic!("not a Relation");
    };
    assert!(found.is_empty() && found.xid == Some(71));
    assert_eq!(read(&mut decoder, b"E"), Message::StreamStop);
    let end = commit(Bytes::tag(b'c').int(70));
    assert_eq!(read(&mut decoder, &end), Message::StreamCommit { xid: 70, commit: COMMIT });
    let abort = Bytes::tag(b'A').int(70).int(72).0;
    assert_eq!(read(&mut decoder, &abort), Message::StreamAbort { xid: 70, subxid: 72 });
    let insert = Bytes::tag(b'I').int(16).byte(b'N').tuple().0;
    assert!(matches!(read(&mut decoder, &insert), Message::Insert { xid: None, .. }));
}

#[test]
fn what_is_no_message_is_refused_without_memory() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"x"), Err(Error::UnknownTag(b'x')));
    let bad = [
        Bytes::tag(b'I').int(16).byte(b'N').short(u16::MAX).0,
        Bytes::tag(b'I').int(16).byte(b'N').short(1).byte(b't').int(u32::MAX).0,
        Bytes::tag(b'I').int(16).byte(b'K').short(0).0,
        Bytes::tag(b'T').int(u32::MAX).byte(0).0,
        Bytes::tag(b'M').byte(1).long(5).text("p").int(u32::MAX).0,
        Bytes::tag(b'D').int(16).byte(b'N').short(0).0,
        Bytes::tag(b'U').int(16).byte(b'K').short(0).byte(b'K').short(0).0,
    ];
    for message in bad {
        assert!(matches!(decoder.decode(&message), Err(Error::Malformed { .. })), "{message:?}");
    }
}
