//! Every way in: first packets, protocol versions, Unix sockets, the door inside the process.

use std::time::{Duration, Instant};

use howdah_tests::raw::{Address, Connection, Frames, Target};
use howdah_tests::{Rig, Script};
use howdah_wire::startup;

fn packet(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn requests_for_encryption_are_declined_and_the_login_goes_on() {
    let rig = Rig::start();
    let mut client = Connection::open(&rig.target()).unwrap();
    client.write(&packet(startup::ssl_request)).unwrap();
    assert_eq!(client.byte().unwrap(), b'N');
    client.write(&packet(startup::gss_request)).unwrap();
    assert_eq!(client.byte().unwrap(), b'N');
    client.login().unwrap();
    assert_eq!(client.value("SELECT 'plain'"), "plain");
}

#[test]
fn a_startup_packet_of_two_gigabytes_is_refused_at_its_length() {
    let rig = Rig::start();
    for length in [0x7fff_ffff_u32, 0xffff_ffff, 0x8000_0000, 100_000, 0, 3, 4, 7] {
        let mut client = Connection::open(&rig.target()).unwrap();
        client.write(&length.to_be_bytes()).unwrap();
        let begin = Instant::now();
        client.timeout = Duration::from_secs(5);
        assert!(client.until_closed().is_ok(), "length {length}: the connection stays open");
        assert!(begin.elapsed() < Duration::from_secs(2), "length {length}: {:?}", begin.elapsed());
    }
    assert_eq!(rig.client().value("SELECT 'alive'"), "alive");
}

#[test]
fn old_and_unknown_protocols_are_refused_with_a_reason() {
    let rig = Rig::start();
    for version in [4_u32 << 16, 0x1234_5678, 0xffff_ffff] {
        let mut client = Connection::open(&rig.target()).unwrap();
        let mut bytes = 17_u32.to_be_bytes().to_vec();
        bytes.extend(version.to_be_bytes());
        bytes.extend(b"user\0app\0");
        client.write(&bytes).unwrap();
        let seen = client.until_closed().unwrap();
        let errors = seen.errors();
        assert_eq!(errors.len(), 1, "version {version:x}: {seen:?}");
        assert_eq!(errors[0].severity, "FATAL");
    }
}

#[test]
fn protocol_3_2_is_negotiated() {
    let rig = Rig::start();
    let mut client = rig.target().minor(2).client();
    let negotiated = client.welcome.0.iter().any(|reply| reply.tag == b'v');
    let long_key = (5..=256).contains(&client.secret.len());
    assert!(
        negotiated || long_key,
        "neither negotiated down nor a 3.2 session: {}",
        client.welcome.summary()
    );
    assert_eq!(client.value("SELECT 'fine'"), "fine");
    client.send(&Frames::new().query("SELECT pg_sleep(30)")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    client.cancel();
    assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "57014");
}

#[test]
fn unknown_protocol_options_are_named_and_the_login_goes_on() {
    let rig = Rig::start();
    let with = |target: Target| target.parameter("_pq_.no_such_option", "1").client();
    let (mut client, direct) = (with(rig.target()), with(rig.direct()));
    let told = |connection: &Connection| {
        connection
            .welcome
            .0
            .iter()
            .find(|reply| reply.tag == b'v')
            .map(|reply| reply.body[4..].to_vec())
    };
    assert_eq!(told(&client), told(&direct));
    assert_eq!(client.value("SELECT 'fine'"), "fine");
}

#[test]
fn the_welcome_is_postgresqls() {
    let rig = Rig::start();
    for parameters in [
        vec![],
        vec![("application_name", "hello"), ("TimeZone", "Asia/Tokyo"), ("DateStyle", "German")],
    ] {
        let with = |target: Target| {
            parameters.iter().fold(target, |target, (name, value)| target.parameter(name, value))
        };
        let direct = with(rig.direct()).client();
        // The second time the answer is remembered.
        for _ in 0..3 {
            let mut client = with(rig.target()).client();
            assert_eq!(client.parameters, direct.parameters);
            let shape = |connection: &Connection| {
                connection
                    .welcome
                    .0
                    .iter()
                    .map(|reply| char::from(reply.tag))
                    .filter(|tag| *tag != 'S')
                    .collect::<String>()
            };
            assert_eq!(shape(&client), shape(&direct));
            client.run("SELECT 1");
        }
    }
}

#[test]
fn a_startup_packet_without_a_user_is_refused() {
    let rig = Rig::start();
    let mut client = Connection::open(&rig.target()).unwrap();
    client.write(&packet(|out| startup::startup(out, 0, &[("database", "x")]))).unwrap();
    let seen = client.until_closed().unwrap();
    assert_eq!(seen.errors()[0].code, "28000", "{seen:?}");
}

#[test]
fn the_database_defaults_to_the_user() {
    let rig = Rig::start();
    let mut client = Connection::open(&rig.target()).unwrap();
    client.write(&packet(|out| startup::startup(out, 0, &[("user", "app")]))).unwrap();
    let seen = client.until_closed().unwrap();
    let error = &seen.errors()[0];
    assert_eq!(error.code, "3D000");
    assert!(error.message.contains("\"app\""), "{error:?}");
}

#[test]
fn a_client_may_come_by_unix_socket() {
    let directory = std::env::temp_dir().join(format!("howdah-door-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let rig =
        Rig::builder().listen("unix_socket", &format!("\"{}\"", directory.display())).in_process();
    let path = rig.socket().expect("a Unix socket");
    assert!(
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".s.PGSQL.")),
        "{}",
        path.display()
    );
    let mut target = rig.target();
    target.address = Address::Unix(path.clone());
    let mut client = target.client();
    assert_eq!(client.value("SELECT 'by socket'"), "by socket");
    client.send(&Frames::new().query("SELECT pg_sleep(30)")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    client.cancel();
    assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "57014");
    drop(client);
    drop(rig);
    assert!(!path.exists(), "the socket file is left behind");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn servers_may_be_reached_by_unix_socket() {
    let toml = "[listen]\nport = 0\nworkers = 1\n[[cluster]]\nname = \"main\"\n[[cluster.node]]\nname = \"primary\"\n\
                host = \"{primary_socket}\"\nport = {primary_port}\n[[user]]\nname = \"*\"\nauth = \"trust\"\n[pool]\nmax_size = 3\n";
    let rig = Rig::builder().toml(toml).in_process();
    let mut client = rig.client();
    assert_eq!(client.value("SELECT inet_server_addr() IS NULL"), "t");
    rig.same_as_direct("", &Script::new().query("SELECT 1").query("SELECT 1 / 0"));
}

#[test]
fn the_door_inside_the_process_leads_to_the_same_sessions() {
    let rig = Rig::start();
    rig.block_on(async {
        let (client, connection) =
            rig.engine().connect(rig.database(), "app").await.expect("the door opens");
        let driver = tokio::spawn(connection);
        let row =
            client.query_one("SELECT session_user::text, $1::int + 1", &[&41_i32]).await.unwrap();
        assert_eq!((row.get::<_, String>(0), row.get::<_, i32>(1)), ("app".to_owned(), 42));
        client.batch_execute("SET work_mem = '5MB'").await.unwrap();
        let row = client.query_one("SHOW work_mem", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "5MB");
        let error = client.query_one("SELECT 1 / $1::int", &[&0_i32]).await.unwrap_err();
        assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::DIVISION_BY_ZERO));
        drop(client);
        driver.await.expect("the connection ends").expect("and ends well");
        assert!(rig.engine().connect("no_such_database", "app").await.is_err());
    });
    assert_eq!(rig.client().value("SHOW work_mem"), "4MB");
}

#[test]
fn two_engines_in_one_process_do_not_know_each_other() {
    let one = Rig::start();
    let two = Rig::builder().mode("session").in_process();
    let (mut first, mut second) = (one.client(), two.client());
    assert_eq!(first.value("SELECT current_database()"), one.database());
    assert_eq!(second.value("SELECT current_database()"), two.database());
    first.run("SET work_mem = '5MB'");
    second.run("SET work_mem = '6MB'");
    assert_eq!(one.block_on(one.engine().report()).clients, 1);
    assert_eq!(two.block_on(two.engine().report()).clients, 1);
    drop(one);
    assert_eq!(second.value("SHOW work_mem"), "6MB");
}
