//! The comparison is worth something: a server that answers wrong in one small thing is found out. Between the comparison and
//! PostgreSQL stands a proxy that changes one kind of reply.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use howdah_tests::exchange::{Same, difference};
use howdah_tests::raw::{Frames, Target};
use howdah_tests::{Script, Servers};
use howdah_wire::frame;

/// What becomes of a reply: its tag and its body; `None`: it is not passed on.
type Change = fn(u8, &mut Vec<u8>) -> Option<u8>;

/// Passes a connection on, replies changed once the login is over. Ends with the connection.
fn serve(mut client: TcpStream, server: u16, change: Change) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut input, mut buffer, mut ready) = (Vec::new(), [0; 8192], false);
    loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return client.shutdown(Shutdown::Both);
        }
        input.extend_from_slice(&buffer[..count]);
        let mut out = Frames::new();
        while let Ok(Some((reply, _))) = frame::split(&input) {
            let (mut body, length) = (reply.body.to_vec(), reply.bytes.len());
            let tag = if ready { change(reply.tag, &mut body) } else { Some(reply.tag) };
            ready = ready || reply.tag == b'Z';
            if let Some(tag) = tag {
                out = out.frame(tag, &body);
            }
            input.drain(..length);
        }
        client.write_all(out.as_bytes())?;
    }
}

/// The port of a server that changes replies.
fn tampering(server: u16, change: Change) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let _ = serve(client, server, change);
    });
    port
}

fn script() -> Script {
    Script::new()
        .query("SELECT 'one', 1; SELECT 2")
        .step(Frames::new().extended("SELECT $1::int", &["7"]).sync())
        .query("SET application_name = 'told'")
        .query("DO $$ BEGIN RAISE NOTICE 'noted'; END $$")
        .query("SELECT 1 / 0")
        .query("BEGIN")
        .query("COMMIT")
}

/// The step at which a changed reply is noticed, and what is printed.
fn noticed(change: Change) -> Option<(usize, String)> {
    let servers = Servers::shared();
    let mut direct = servers.target("app", "postgres").client();
    let port = tampering(servers.primary().port(), change);
    let target = Target::port(port, "app", "postgres");
    let mut proxied = target.timeout(std::time::Duration::from_secs(2)).client();
    let script = script();
    let (expected, seen) = (script.hear(&mut direct, || {}), script.hear(&mut proxied, || {}));
    let found = difference(&script, &expected, &seen, Same::Bytes)?;
    Some((found.step, found.to_string()))
}

#[test]
fn nothing_is_noticed_when_nothing_is_changed() {
    assert_eq!(noticed(|tag, _| Some(tag)), None);
}

#[test]
fn one_changed_reply_is_noticed_where_it_is() {
    let changes: [(usize, Change); 7] = [
        (1, |tag, body| {
            if tag == b'D' && body.ends_with(b"2") {
                body.pop();
                body.push(b'3');
            }
            Some(tag)
        }),
        (2, |tag, _| (tag != b'2').then_some(tag)),
        (3, |tag, _| (tag != b'S').then_some(tag)),
        (4, |tag, _| (tag != b'N').then_some(tag)),
        (5, |tag, body| {
            if tag == b'E' {
                let place = body.windows(5).position(|part| part == b"22012").unwrap();
                body[place + 4] = b'3';
            }
            Some(tag)
        }),
        (6, |tag, body| {
            if tag == b'Z' && body == b"T" {
                body[0] = b'I';
            }
            Some(tag)
        }),
        (7, |tag, body| {
            if tag == b'C' && body.starts_with(b"COMMIT") {
                body.splice(..6, *b"ROLLBACK");
            }
            Some(tag)
        }),
    ];
    for (step, change) in changes {
        let (found, report) = noticed(change).unwrap_or_else(|| panic!("step {step}: not noticed"));
        assert_eq!(found, step, "{report}");
        assert!(report.contains("! "), "the report marks the place: {report}");
    }
}
