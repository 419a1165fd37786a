//! One letter by SMTP. Not what is in it: `payload`.
//!
//! Invariant: a password goes over TLS only, except to this machine.

use std::time::Duration;

use howdah_core::alerts::{Notice, Occasion};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{SmtpTransport, Transport as _};

use crate::payload::{self, Source};
use crate::sink::{Hidden, Outcome};

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// In clear: `smtp://`, for servers on this machine.
    Clear,
    /// In clear first, then TLS (STARTTLS), always: `smtp+starttls://`.
    StartTls,
    /// TLS from the first byte: `smtps://`.
    Tls,
}

/// A mailbox, and the server that takes letters to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Host of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Whom to log in as, and the password.
    pub login: Option<(String, Hidden)>,
    /// Who the letter is from.
    pub from: Mailbox,
    /// Who gets it.
    pub to: Vec<Mailbox>,
}

impl Mail {
    /// Reads the address of a server (`smtps://HOST`, `smtp+starttls://HOST:PORT`, and `smtp://HOST` in clear) and mailboxes.
    ///
    /// # Errors
    /// Which part cannot be read, and what is wrong with it.
    pub fn new(
        address: &str,
        login: Option<(String, Hidden)>,
        from: &str,
        to: &[String],
    ) -> Result<Self, (Part, String)> {
        let wrong = |reason: &str| (Part::Address, reason.to_owned());
        let (scheme, rest) =
            address.split_once("://").ok_or_else(|| wrong("no address of a mail server"))?;
        let (security, port) = match scheme {
            "smtps" => (Security::Tls, 465),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtp" => (Security::Clear, 25),
            _ => return Err(wrong("neither smtps, smtp+starttls nor smtp")),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong("not a port"))?),
            None => (rest, port),
        };
        let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if security == Security::Clear && login.is_some() && !here {
            return Err(wrong("a password would go in clear"));
        }
        let mailbox = |text: &str, part| {
            text.parse::<Mailbox>()
                .map_err(|error| (part, format!("{text} is no mailbox: {error}")))
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            security,
            login,
            from: mailbox(from, Part::From)?,
            to: to.iter().map(|text| mailbox(text, Part::To)).collect::<Result<_, _>>()?,
        })
    }
}

/// What is wrong with what was said about mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The address of the server.
    Address,
    /// Who it is from.
    From,
    /// Who gets it.
    To,
}

/// Sends it, and waits for the answer.
pub(crate) fn send(mail: &Mail, notice: &Notice, source: &Source, timeout: Duration) -> Outcome {
    let letter = match written(mail, notice, source) {
        Ok(letter) => letter,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let builder = match mail.security {
        Security::Clear => Ok(SmtpTransport::builder_dangerous(&mail.host)),
        Security::StartTls => SmtpTransport::starttls_relay(&mail.host),
        Security::Tls => SmtpTransport::relay(&mail.host),
    };
    let mut builder = match builder {
        Ok(builder) => builder.port(mail.port).timeout(Some(timeout)),
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    if let Some((user, password)) = &mail.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.0.clone()));
    }
    match builder.build().send(&letter) {
        Ok(answer) => Outcome::Taken(answer.message().collect::<Vec<_>>().join(" ")),
        Err(error) if error.is_permanent() => Outcome::Refused(words(&error)),
        Err(error) => Outcome::Later(words(&error), None),
    }
}

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The letter. All about one thing are one thread.
fn written(mail: &Mail, notice: &Notice, source: &Source) -> Result<Message, lettre::error::Error> {
    let (subject, text) = payload::letter(notice, source);
    let key: String =
        notice.key().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let thread = format!("<{key}@howdah.invalid>");
    let mut builder = Message::builder().from(mail.from.clone()).subject(subject);
    for to in &mail.to {
        builder = builder.to(to.clone());
    }
    if notice.occasion != Occasion::Test {
        builder = builder.references(thread.clone()).in_reply_to(thread);
    }
    let mut letter = builder.body(text)?;
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    letter.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_read_and_a_password_never_goes_in_clear() {
        let to = ["team <team@example.org>".to_owned()];
        let login = || Some(("howdah".to_owned(), Hidden("x".to_owned())));
        let mail = |address, login| Mail::new(address, login, "howdah@example.org", &to);
        let found = mail("smtps://example.org", login()).unwrap();
        assert_eq!((found.port, found.security), (465, Security::Tls));
        let found = mail("smtp+starttls://example.org:2587/", login()).unwrap();
        assert_eq!((found.host.as_str(), found.port), ("example.org", 2_587));
        assert!(mail("smtp://127.0.0.1:25", login()).is_ok());
        assert_eq!(mail("smtp://example.org", login()).unwrap_err().0, Part::Address);
        assert_eq!(mail("https://example.org", None).unwrap_err().0, Part::Address);
        let wrong = Mail::new("smtps://x", None, "nobody", &to);
        assert_eq!(wrong.unwrap_err().0, Part::From);
    }
}
