//! The reply queue by example, and against a model of a PostgreSQL backend that is sent random messages.

use super::*;

const CLIENT: u8 = 1;

/// Pushes messages written as one letter each: Q F P B s(describe statement) p(describe portal) E C(lose) S c(opy end);
/// a lower-case prefix `~` makes the next one swallowed, `!` internal, `=` answered by Howdah.
fn send(queue: &mut ReplyQueue<u8>, script: &str) {
    let mut disposition = Disposition::Forward;
    for letter in script.chars() {
        let kind = match letter {
            '~' => {
                disposition = Disposition::Swallow;
                continue;
            }
            '!' => {
                disposition = Disposition::Internal;
                continue;
            }
            '=' => {
                disposition = Disposition::Answer(Answer::ParseComplete);
                continue;
            }
            'Q' => Kind::Query,
            'F' => Kind::FunctionCall,
            'P' => Kind::Parse,
            'B' => Kind::Bind,
            's' => Kind::DescribeStatement,
            'p' => Kind::DescribePortal,
            'E' => Kind::Execute,
            'C' => Kind::Close,
            'S' => Kind::Sync,
            'c' => Kind::CopyEnd,
            other => unreachable!("letter {other}"),
        };
        queue.push(CLIENT, kind, disposition);
        disposition = Disposition::Forward;
    }
}

/// What the client sees of these frames, `*` standing for an answer in the server's place, `.` for a swallowed frame.
fn receive(queue: &mut ReplyQueue<u8>, frames: &str) -> Result<String, Violation> {
    let mut seen = String::new();
    let answers = |queue: &mut ReplyQueue<u8>, seen: &mut String| {
        while queue.take_answer().is_some() {
            seen.push('*');
        }
    };
    answers(queue, &mut seen);
    for frame in frames.bytes() {
        let (delivery, _) = queue.on_frame(frame)?;
        seen.push(match delivery {
            Delivery::To(_) | Delivery::Bystander => char::from(frame),
            Delivery::Nobody => '.',
        });
        answers(queue, &mut seen);
    }
    Ok(seen)
}

#[track_caller]
fn check(sent: &str, frames: &str, seen: &str) {
    let mut queue = ReplyQueue::new();
    send(&mut queue, sent);
    assert_eq!(receive(&mut queue, frames), Ok(seen.to_owned()));
    assert!(queue.is_settled(), "{sent} then {frames} leaves {queue:?}");
}

#[test]
fn ordinary_requests_are_settled_by_their_replies() {
    check("Q", "TDDCZ", "TDDCZ");
    check("Q", "TDCTDCCIZ", "TDCTDCCIZ");
    check("Q", "EZ", "EZ");
    check("PBpES", "12TDDCZ", "12TDDCZ");
    check("PsS", "1tTZ", "1tTZ");
    check("PsSBES", "1tnZ2CZ", "1tnZ2CZ");
    check("FS", "VZZ", "VZZ");
    check("Q", "NSATDACZ", "NSATDACZ");
    check("BES", "2DDsZ", "2DDsZ");
}

#[test]
fn several_segments_may_be_in_flight() {
    check("QQBES", "TDCZEZ2CZ", "TDCZEZ2CZ");
    check("PBESPBES", "12CZ12CZ", "12CZ12CZ");
}

#[test]
fn an_error_skips_to_the_sync_of_its_segment_only() {
    check("PBESPBES", "1EZ12CZ", "1EZ12CZ");
    check("PBESPBES", "EZEZ", "EZEZ");
    // A simple query inside a failed segment is skipped, too.
    check("PBEQS", "1EZ", "1EZ");
}

#[test]
fn an_error_at_sync_is_followed_by_ready() {
    check("BES", "2CEZ", "2CEZ");
}

#[test]
fn answers_in_the_servers_place_keep_their_order_and_are_skipped_after_an_error() {
    check("=PBES", "2CZ", "*2CZ");
    check("BE=PBES", "2C2CZ", "2C*2CZ");
    check("BE=PBES=PS", "EZZ", "EZ*Z");
}

#[test]
fn what_howdah_sends_for_itself_is_not_seen_except_its_errors() {
    check("~PBES", "12CZ", ".2CZ");
    check("~PBES", "EZ", "EZ");
    check("!QBES", "CZ2CZ", "..2CZ");
    check("!QQ", "EZCZ", "..CZ");
}

#[test]
fn a_sync_sent_before_the_copy_is_ignored_by_the_server() {
    // libpq sends Parse Bind Execute Sync, then learns that it is a COPY, then sends the data, CopyDone and Sync.
    let mut queue = ReplyQueue::new();
    send(&mut queue, "PBES");
    assert_eq!(receive(&mut queue, "12G").as_deref(), Ok("12G"));
    assert!(queue.in_copy());
    send(&mut queue, "SS");
    send(&mut queue, "c");
    assert!(!queue.is_settled());
    send(&mut queue, "S");
    assert_eq!(receive(&mut queue, "CZ").as_deref(), Ok("CZ"));
    assert!(queue.is_settled());
    // Everything at once.
    check("PBEScS", "12GCZ", "12GCZ");
    check("Qc", "GCZ", "GCZ");
    check("Qc", "GEZ", "GEZ");
    check("PBEcS", "12GEZ", "12GEZ");
}

#[test]
fn late_copy_messages_get_no_reply() {
    check("Qc", "EZ", "EZ");
    check("ccQ", "CZ", "CZ");
}

#[test]
fn a_segment_that_failed_before_its_sync_skips_until_the_sync_is_sent() {
    let mut queue = ReplyQueue::new();
    send(&mut queue, "P");
    assert!(!queue.is_settled());
    assert_eq!(receive(&mut queue, "E").as_deref(), Ok("E"));
    assert!(queue.is_skipping() && !queue.is_settled());
    send(&mut queue, "S");
    assert!(!queue.is_skipping());
    assert_eq!(receive(&mut queue, "Z").as_deref(), Ok("Z"));
    assert!(queue.is_settled());
}

#[test]
fn a_flushed_segment_keeps_the_server_until_its_sync() {
    let mut queue = ReplyQueue::new();
    send(&mut queue, "Ps");
    assert_eq!(receive(&mut queue, "1tT").as_deref(), Ok("1tT"));
    assert!(queue.is_empty() && !queue.is_settled());
    send(&mut queue, "BES");
    assert_eq!(receive(&mut queue, "2CZ").as_deref(), Ok("2CZ"));
    assert!(queue.is_settled());
}

#[test]
fn failures_name_the_messages_that_were_skipped() {
    let mut queue = ReplyQueue::new();
    send(&mut queue, "QPBESPS");
    assert_eq!(
        queue.on_frame(b'C'),
        Ok((Delivery::To(CLIENT), Event::StatementEnded { serial: 0 }))
    );
    assert_eq!(queue.on_frame(b'Z'), Ok((Delivery::To(CLIENT), Event::Ready { until: 1 })));
    assert_eq!(queue.on_frame(b'1'), Ok((Delivery::To(CLIENT), Event::None)));
    let failed = Event::Failed { from: 2, until: 4, internal: false };
    assert_eq!(queue.on_frame(b'E'), Ok((Delivery::To(CLIENT), failed)));
    assert_eq!(queue.on_frame(b'Z'), Ok((Delivery::To(CLIENT), Event::Ready { until: 5 })));
}

#[test]
fn a_frame_that_answers_nothing_is_a_violation() {
    for (sent, frames) in [
        ("", "Z"),
        ("", "E"),
        ("Q", "1"),
        ("P", "2"),
        ("BES", "Z"),
        ("Q", "EC"),
        ("S", "D"),
        ("P", "C"),
    ] {
        let mut queue = ReplyQueue::new();
        send(&mut queue, sent);
        assert!(receive(&mut queue, frames).is_err(), "{sent} then {frames}");
    }
}

/// A backend as `postgres.c` describes it: takes messages in order, fails some, skips to Sync.
#[derive(Default)]
struct Backend {
    skipping: bool,
}

impl Backend {
    fn take(&mut self, kind: Kind, fails: bool, frames: &mut Vec<u8>) {
        if self.skipping && kind != Kind::Sync {
            return;
        }
        let (good, extended): (&[u8], bool) = match kind {
            Kind::Query => (b"TDDC", false),
            Kind::FunctionCall => (b"V", false),
            Kind::Parse => (b"1", true),
            Kind::Bind => (b"2", true),
            Kind::DescribeStatement => (b"tT", true),
            Kind::DescribePortal => (b"n", true),
            Kind::Execute => (b"DC", true),
            Kind::Close => (b"3", true),
            Kind::Sync => (b"", false),
            Kind::CopyEnd | Kind::Ignored => return,
        };
        self.skipping = fails && extended;
        frames.extend_from_slice(if fails { b"NE" } else { good });
        if !extended {
            frames.push(b'Z');
        }
    }
}

#[test]
fn whatever_is_sent_every_reply_finds_its_owner_in_order() {
    const KINDS: [Kind; 9] = [
        Kind::Query,
        Kind::Parse,
        Kind::Bind,
        Kind::DescribeStatement,
        Kind::DescribePortal,
        Kind::Execute,
        Kind::Close,
        Kind::CopyEnd,
        Kind::Sync,
    ];
    for seed in 1..2_000_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut below = |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % n).unwrap()
        };
        let mut queue: ReplyQueue<usize> = ReplyQueue::new();
        let (mut backend, mut wire) = (Backend::default(), VecDeque::new());
        for step in 0..200 {
            let owner = step;
            if below(3) > 0 {
                let kind = if step >= 198 { Kind::Sync } else { KINDS[below(9)] };
                if queue.is_skipping() && kind != Kind::Sync {
                    continue;
                }
                queue.push(owner, kind, Disposition::Forward);
                let mut frames = Vec::new();
                backend.take(kind, kind != Kind::Sync && below(6) == 0, &mut frames);
                wire.extend(frames.into_iter().map(|frame| (owner, frame)));
            } else {
                while queue.take_answer().is_some() {}
                for _ in 0..below(8) {
                    let Some((owner, frame)) = wire.pop_front() else {
                        break;
                    };
                    deliver(&mut queue, owner, frame, seed);
                }
            }
        }
        queue.push(usize::MAX, Kind::Sync, Disposition::Forward);
        let mut frames = Vec::new();
        backend.take(Kind::Sync, false, &mut frames);
        wire.extend(frames.into_iter().map(|frame| (usize::MAX, frame)));
        while queue.take_answer().is_some() {}
        for (owner, frame) in wire {
            deliver(&mut queue, owner, frame, seed);
        }
        assert!(queue.is_settled(), "seed {seed}: {queue:?}");
    }
}

fn deliver(queue: &mut ReplyQueue<usize>, owner: usize, frame: u8, seed: u64) {
    match queue.on_frame(frame) {
        Ok((Delivery::To(to), _)) => assert_eq!(to, owner, "seed {seed}: frame {frame}"),
        Ok((Delivery::Bystander, _)) => assert_eq!(frame, b'N'),
        other => panic!("seed {seed}: frame {frame} for {owner}: {other:?}"),
    }
    while queue.take_answer().is_some() {}
}
