//! Proving to a server who we are, by whatever method it asks for.
//!
//! Invariant: a server that is to ask for one proof only gets no other.

use howdah_wire::backend::{self, Authentication, tag};
use howdah_wire::scram::{self, ChannelBinding};
use howdah_wire::{frontend, md5};

use super::{Login, OpenError, Opening};
use crate::tls::Channel;

/// What a server asks for before it lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing over the connection.
    Nothing,
    /// The password in clear text.
    Password,
    /// Salted MD5.
    Md5,
    /// SCRAM-SHA-256.
    Scram,
}

impl Opening<'_> {
    /// Logs in; says what proof was asked for.
    pub(super) async fn log_in(&mut self, login: &Login<'_>) -> Result<Proof, OpenError> {
        let mut asked = Proof::Nothing;
        loop {
            let (tag, body) = self.frame().await?;
            match tag {
                tag::AUTHENTICATION => {}
                tag::NEGOTIATE_VERSION | tag::NOTICE => continue,
                other => {
                    return Err(
                        self.cannot(format!("unexpected message {other:#04x} during the login"))
                    );
                }
            }
            let request =
                backend::authentication(&body).map_err(|error| self.cannot(error.to_string()))?;
            asked = match &request {
                Authentication::CleartextPassword => Proof::Password,
                Authentication::Md5Password(_) => Proof::Md5,
                Authentication::Sasl(_) => Proof::Scram,
                // What is none of Howdah's methods is refused below.
                Authentication::Ok
                | Authentication::SaslContinue(_)
                | Authentication::SaslFinal(_)
                | Authentication::GssContinue(_)
                | Authentication::Unsupported(_) => asked,
            };
            if login.only.is_some_and(|only| only != asked) {
                return Err(self.cannot("it asks for another proof than over TCP"));
            }
            let lacking = |what: &str| self.lacking(login, what);
            let mut out = Vec::new();
            match request {
                Authentication::Ok => return Ok(asked),
                Authentication::CleartextPassword => {
                    let password = login.keys.password().ok_or_else(|| lacking("in clear text"))?;
                    frontend::password(&mut out, password.as_bytes());
                }
                Authentication::Md5Password(salt) => {
                    let shadow = login.keys.md5(login.user).ok_or_else(|| lacking("by md5"))?;
                    frontend::password(&mut out, md5::response(&shadow, salt).as_bytes());
                }
                Authentication::Sasl(mechanisms) => {
                    let offers = |name: &str| {
                        mechanisms.iter().any(|mechanism| mechanism == name.as_bytes())
                    };
                    let end_point = self.stream.channel().and_then(Channel::end_point);
                    let (mechanism, binding) = match end_point {
                        Some(hash) if offers(scram::MECHANISM_PLUS) => {
                            (scram::MECHANISM_PLUS, ChannelBinding::EndPoint(hash))
                        }
                        Some(_) => (scram::MECHANISM, ChannelBinding::NotOffered),
                        None => (scram::MECHANISM, ChannelBinding::Unsupported),
                    };
                    if !offers(mechanism) {
                        return Err(self.cannot("it offers no SASL mechanism that Howdah knows"));
                    }
                    self.scram(login, mechanism, binding).await?;
                    continue;
                }
                Authentication::SaslContinue(_)
                | Authentication::SaslFinal(_)
                | Authentication::GssContinue(_) => {
                    return Err(self.cannot("unexpected SASL or GSS message"));
                }
                Authentication::Unsupported(method) => {
                    return Err(self.cannot(format!(
                        "it asks for authentication method {method}, which Howdah cannot do"
                    )));
                }
            }
            self.send(&out).await?;
        }
    }

    /// A password is asked for, and there is none, or not in the form that answers.
    fn lacking(&self, login: &Login<'_>, how: &str) -> OpenError {
        let user = login.user;
        self.cannot(if login.keys.is_empty() {
            format!("it asks for a password and none is configured for user {user:?}")
        } else {
            format!("it asks for the password of user {user:?} {how}, and what is known of it does not answer that")
        })
    }

    async fn scram(
        &mut self,
        login: &Login<'_>,
        mechanism: &str,
        binding: ChannelBinding,
    ) -> Result<(), OpenError> {
        if login.keys.is_empty() {
            return Err(self.lacking(login, ""));
        }
        let nonce = crate::random::token().map_err(|error| self.io(&error))?;
        let mut client = scram::Client::new(nonce).binding(binding);
        let mut out = Vec::new();
        frontend::sasl_initial(&mut out, mechanism, &client.first());
        self.send(&out).await?;
        let body = self.sasl_body().await?;
        let Ok(Authentication::SaslContinue(data)) = backend::authentication(&body) else {
            return Err(self.cannot("unexpected SASL message"));
        };
        let challenge =
            client.on_server_first(data).map_err(|error| self.cannot(error.to_string()))?;
        let keys = login.keys.scram(&challenge.salt, challenge.iterations).await;
        let keys = keys.ok_or_else(|| {
            self.lacking(login, "by SCRAM with another salt than the one that Howdah knows it by")
        })?;
        out.clear();
        frontend::sasl_response(&mut out, &client.respond(&keys));
        self.send(&out).await?;
        let body = self.sasl_body().await?;
        match backend::authentication(&body) {
            Ok(Authentication::SaslFinal(data)) => {
                client.on_server_final(data).map_err(|error| self.cannot(error.to_string()))
            }
            _ => Err(self.cannot("unexpected SASL message")),
        }
    }

    async fn sasl_body(&mut self) -> Result<Vec<u8>, OpenError> {
        match self.frame().await? {
            (tag::AUTHENTICATION, body) => Ok(body),
            (other, _) => {
                Err(self.cannot(format!("unexpected message {other:#04x} during the login")))
            }
        }
    }
}
