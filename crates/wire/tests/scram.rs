//! SCRAM against the vectors of RFC 7677, against PostgreSQL's own verifier, and against itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use howdah_wire::scram::{
    ChannelBinding, Client, ClientKeys, DEFAULT_ITERATIONS, Server, Verifier,
};
use howdah_wire::{Error, SqlState};

/// The salt in the example of RFC 7677, section 3.
const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";

/// `rolpassword` of a role that PostgreSQL 15 made with the password `pencil`.
const POSTGRESQL_VERIFIER: &str = "SCRAM-SHA-256$4096:SuLp1UZywlgb+kqpFuxNLQ==$ZsiPWYk2mGCZuEjj\
    AEfCK+Ys0erm8EHcrnM5Ud+Zb/A=:OcI9JR5IdF7glnxU/dZi7eBGCBs9+dKDl+zOLAC2ZWU=";

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn exchange(verifier: Verifier, password: &str) -> Result<(), Error> {
    let mut client = Client::new("client/nonce+0".into());
    let mut server = Server::new(verifier, "server=nonce".into());
    let server_first = server.on_client_first(&client.first())?;
    let challenge = client.on_server_first(&server_first)?;
    let keys = ClientKeys::derive(password, &challenge.salt, challenge.iterations);
    let client_final = client.respond(&keys);
    let server_final = server.on_client_final(&client_final)?;
    client.on_server_final(&server_final)
}

#[test]
fn the_server_follows_the_example_of_rfc_7677() {
    let verifier = Verifier::from_password("pencil", &decode(SALT), 4096);
    let mut server = Server::new(verifier, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into());
    let first = server.on_client_first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
    let expected =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(std::str::from_utf8(&first), Ok(expected));
    let last = server.on_client_final(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    assert_eq!(last.unwrap(), b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_right_password_is_accepted_and_both_sides_are_sure() {
    for password in
        ["pencil", "", "p\u{e4}ss", "\u{2168}", "a\u{ad}b", "tab\there", "\u{7}bell \u{0627}1"]
    {
        let verifier = Verifier::from_password(password, b"some salt bytes", DEFAULT_ITERATIONS);
        assert_eq!(exchange(verifier, password), Ok(()), "{password:?}");
    }
}

#[test]
fn an_accepted_proof_reveals_keys_that_satisfy_the_same_verifier_and_a_wrong_one_reveals_nothing() {
    let verifier = Verifier::parse(POSTGRESQL_VERIFIER).unwrap();
    for (password, right) in [("pencil", true), ("Pencil", false)] {
        let mut client = Client::new("client".into());
        let mut server = Server::new(verifier.clone(), "server".into());
        let first = server.on_client_first(&client.first()).unwrap();
        let challenge = client.on_server_first(&first).unwrap();
        let keys = ClientKeys::derive(password, &challenge.salt, challenge.iterations);
        assert_eq!(server.client_keys(), None);
        assert_eq!(server.on_client_final(&client.respond(&keys)).is_ok(), right);
        assert_eq!(server.client_keys(), Some(&keys).filter(|_| right));
    }
}

#[test]
fn saslprep_makes_spellings_of_one_password_equal() {
    // RFC 4013: the Roman numeral nine is IX, a soft hyphen is nothing, a no-break space is a space.
    for (stored, typed) in [("\u{2168}", "IX"), ("I\u{ad}X", "IX"), ("a\u{a0}b", "a b")] {
        let verifier = Verifier::from_password(stored, b"salt", 10);
        assert_eq!(verifier, Verifier::from_password(typed, b"salt", 10), "{stored:?}");
    }
    // ASCII is never changed, not even control characters.
    assert_ne!(
        Verifier::from_password("a\u{7}", b"salt", 10),
        Verifier::from_password("a", b"salt", 10)
    );
}

#[test]
fn a_wrong_password_is_refused_with_28p01() {
    let verifier = Verifier::from_password("pencil", b"salt", 4096);
    let refused = exchange(verifier, "pencils").unwrap_err();
    assert_eq!(refused, Error::PasswordMismatch);
    assert_eq!(refused.sqlstate(), SqlState::INVALID_PASSWORD);
}

#[test]
fn an_unknown_user_gets_the_same_salt_each_time_and_no_password_fits() {
    let [one, again, other] = [b"ann", b"ann", b"bob"].map(|user| Verifier::mock(user, b"secret"));
    assert_eq!(one, again);
    assert_ne!(one.salt, other.salt);
    assert_ne!(one.salt, Verifier::mock(b"ann", b"another secret").salt);
    assert_eq!((one.salt.len(), one.iterations), (16, DEFAULT_ITERATIONS));
    assert_eq!(exchange(one, "pencil"), Err(Error::PasswordMismatch));
}

#[test]
fn a_server_that_does_not_know_the_password_is_found_out() {
    let mut verifier = Verifier::from_password("pencil", b"salt", 4096);
    verifier.server_key[0] ^= 1;
    assert_eq!(exchange(verifier, "pencil"), Err(Error::ServerNotAuthentic));
}

#[test]
fn a_verifier_is_read_and_written_in_the_form_of_pg_authid() {
    let text = POSTGRESQL_VERIFIER;
    let verifier = Verifier::parse(text).unwrap();
    assert_eq!(verifier.to_string(), text);
    assert_eq!(verifier, Verifier::from_password("pencil", &verifier.salt, verifier.iterations));
    for broken in [
        "",
        "md54a0a68b43b6cd5cf266fa02f196e2371",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-256$4096:c2FsdA==",
        "SCRAM-SHA-256$4096$AAAA:AAAA",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAA",
    ] {
        assert!(matches!(Verifier::parse(broken), Err(Error::Verifier(_))), "{broken}");
    }
    for iterations in ["0", "-1", "1000001", "x"] {
        assert!(Verifier::parse(&text.replace("4096", iterations)).is_err(), "{iterations}");
    }
}

#[test]
fn channel_binding_without_tls_and_other_identities_are_refused_by_name() {
    let first = |message: &[u8]| {
        Server::new(Verifier::mock(b"a", b"b"), "s".into()).on_client_first(message)
    };
    assert_eq!(
        first(b"p=tls-server-end-point,,n=,r=x"),
        Err(Error::ScramUnsupported("channel binding without TLS"))
    );
    assert_eq!(
        first(b"n,a=admin,n=,r=x"),
        Err(Error::ScramUnsupported("authorization identities"))
    );
    assert_eq!(first(b"n,,m=x,n=,r=x"), Err(Error::ScramUnsupported("mandatory extensions")));
    assert!(first(b"y,,n=,r=x").is_ok());
    for broken in [
        &b""[..],
        b"n",
        b"n,",
        b"n,,",
        b"n,,n=",
        b"n,,n=,r=",
        b"n,,r=x",
        b"q,,n=,r=x",
        b"n,x,n=,r=x",
        b"n,,n=,r=x\x7f",
        b"n,,n=,r=\0",
        b"n,,n=,r=\xff",
        b"n,,n=,r=a b",
    ] {
        assert!(matches!(first(broken), Err(Error::Scram(_))), "{broken:?}");
    }
}

/// An exchange in which the server shows the certificate `shown` and offers to bind to it, and the
/// client does `binding` with the mechanism that goes with it.
fn bound(shown: &[u8], binding: ChannelBinding, chosen: bool) -> Result<(), Error> {
    let mut client = Client::new("client".into()).binding(binding);
    let mut server = Server::new(Verifier::from_password("pencil", b"salt", 1), "server".into())
        .offered(shown.to_vec(), chosen);
    let challenge = client.on_server_first(&server.on_client_first(&client.first())?)?;
    let keys = ClientKeys::derive("pencil", &challenge.salt, challenge.iterations);
    let proof = client.respond(&keys);
    client.on_server_final(&server.on_client_final(&proof)?)
}

#[test]
fn a_client_bound_to_the_certificate_it_saw_gets_in_and_one_that_saw_another_does_not() {
    let end_point = |hash: &[u8]| ChannelBinding::EndPoint(hash.to_vec());
    assert_eq!(bound(b"hash", end_point(b"hash"), true), Ok(()));
    assert!(matches!(bound(b"hash", end_point(b"other"), true), Err(Error::Scram(_))));
    assert!(matches!(bound(b"hash", end_point(b""), true), Err(Error::Scram(_))));
}

#[test]
fn an_offer_of_channel_binding_that_was_taken_away_is_noticed() {
    assert_eq!(bound(b"hash", ChannelBinding::Unsupported, false), Ok(()), "it may do without");
    let downgraded = bound(b"hash", ChannelBinding::NotOffered, false).unwrap_err();
    assert_eq!(downgraded, Error::ScramDowngrade);
    assert_eq!(downgraded.sqlstate(), SqlState::INVALID_AUTHORIZATION);
}

#[test]
fn the_mechanism_and_the_header_have_to_agree() {
    let end_point = ChannelBinding::EndPoint(b"hash".to_vec());
    assert!(matches!(bound(b"hash", end_point, false), Err(Error::Scram(_))));
    for binding in [ChannelBinding::Unsupported, ChannelBinding::NotOffered] {
        assert!(matches!(bound(b"hash", binding, true), Err(Error::Scram(_))));
    }
    let other = Server::new(Verifier::mock(b"a", b"b"), "s".into())
        .offered(b"hash".to_vec(), true)
        .on_client_first(b"p=tls-unique,,n=,r=x");
    assert!(matches!(other, Err(Error::ScramUnsupported(_))));
}

#[test]
fn a_proof_counts_for_its_own_exchange_only() {
    let verifier = Verifier::from_password("pencil", b"salt", 1);
    let mut client = Client::new("client".into());
    let mut server = Server::new(verifier.clone(), "server".into());
    let challenge =
        client.on_server_first(&server.on_client_first(&client.first()).unwrap()).unwrap();
    let proof =
        client.respond(&ClientKeys::derive("pencil", &challenge.salt, challenge.iterations));
    let mut other = Server::new(verifier.clone(), "another".into());
    other.on_client_first(&client.first()).unwrap();
    assert!(matches!(other.on_client_final(&proof), Err(Error::Scram(_))), "replayed");
    let text = String::from_utf8(proof.clone()).unwrap();
    for changed in [
        text.replace("c=biws", "c=eSws"),
        text.replace("r=client", "r=Client"),
        text.replace(",p=", ",p=A"),
        text.split_once(",p=").unwrap().0.to_owned(),
    ] {
        let mut server = Server::new(verifier.clone(), "server".into());
        server.on_client_first(&client.first()).unwrap();
        assert!(
            matches!(server.on_client_final(changed.as_bytes()), Err(Error::Scram(_))),
            "{changed}"
        );
    }
    let extended = text.replace(",p=", ",x=1,p=");
    let mut third = Server::new(verifier, "server".into());
    third.on_client_first(&client.first()).unwrap();
    assert_eq!(
        third.on_client_final(extended.as_bytes()),
        Err(Error::PasswordMismatch),
        "not what was proved"
    );
    assert!(server.on_client_final(&proof).is_ok());
    assert!(server.on_client_final(&proof).is_err(), "taken once");
}

#[test]
fn messages_out_of_order_are_refused() {
    let client = Client::new("abc".into());
    assert!(matches!(
        client.on_server_final(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
        Err(Error::Scram(_))
    ));
    let mut server = Server::new(Verifier::mock(b"a", b"b"), "s".into());
    assert!(server.on_client_final(b"c=biws,r=x,p=x").is_err());
    server.on_client_first(&client.first()).unwrap();
    assert!(server.on_client_first(&client.first()).is_err());
}

#[test]
fn a_server_may_not_choose_the_whole_nonce_or_refuse_politely() {
    let first = |message: &[u8]| Client::new("abc".into()).on_server_first(message);
    for broken in [
        &b"r=abc,s=c2FsdA==,i=1"[..],
        b"r=xyz,s=c2FsdA==,i=1",
        b"r=abcd,s=,i=1",
        b"r=abcd,s=*,i=1",
        b"r=abcd,i=1",
        b"s=c2FsdA==,i=1",
        b"",
    ] {
        assert!(matches!(first(broken), Err(Error::Scram(_))), "{broken:?}");
    }
    assert_eq!(first(b"e=invalid-username"), Err(Error::ScramRefused));
    assert_eq!(
        first(b"m=x,r=abcd,s=c2FsdA==,i=1"),
        Err(Error::ScramUnsupported("mandatory extensions"))
    );
}

#[test]
fn keys_are_not_printed() {
    let verifier = Verifier::from_password("pencil", &decode(SALT), 4096);
    let keys = ClientKeys::derive("pencil", &decode(SALT), 4096);
    let mut client = Client::new("secretnonce".into());
    client.on_server_first(b"r=secretnonceX,s=c2FsdA==,i=1").unwrap();
    assert_eq!(
        format!("{verifier:?} {keys:?}"),
        "Verifier { iterations: 4096, .. } ClientKeys { .. }"
    );
    assert_eq!(format!("{client:?}"), "Client { .. }");
}
