//! Logging in: startup message, proof, welcome.

use howdah_wire::{frontend, md5, scram, startup};

use super::connection::other;
use super::stream::Stream;
use super::{Connection, Failure, Reply, Target};

impl Connection {
    /// Sends the startup message and logs in, up to the first ReadyForQuery.
    ///
    /// # Errors
    /// The refusal, or what happened to the connection.
    pub fn login(&mut self) -> Result<(), Failure> {
        let target = self.target.clone();
        let mut pairs =
            vec![("user", target.user.as_str()), ("database", target.database.as_str())];
        pairs.extend(target.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut out = Vec::new();
        startup::startup(&mut out, target.minor, &pairs);
        self.write(&out)?;
        self.authenticate(&target)?;
        loop {
            let reply = self.reply()?;
            if reply.tag == b'K' {
                let (id, secret) =
                    reply.body.split_first_chunk::<4>().ok_or_else(|| broken(&reply))?;
                self.process_id = u32::from_be_bytes(*id);
                self.secret = secret.to_vec();
            }
            let (error, done) = (reply.tag == b'E', reply.tag == b'Z');
            if error {
                return Err(Failure::Server(Box::new(reply.error().unwrap_or_default())));
            }
            self.welcome.0.push(reply);
            if done {
                return Ok(());
            }
        }
    }

    fn authenticate(&mut self, target: &Target) -> Result<(), Failure> {
        let password = target.password.as_deref().unwrap_or_default();
        let mut exchange = None;
        let mut out = Vec::new();
        loop {
            let reply = self.reply()?;
            match reply.tag {
                b'R' => {}
                b'E' => return Err(Failure::Server(Box::new(reply.error().unwrap_or_default()))),
                // Version negotiation and notices come before.
                _ => {
                    self.welcome.0.push(reply);
                    continue;
                }
            }
            let (kind, data) = reply.body.split_first_chunk::<4>().ok_or_else(|| broken(&reply))?;
            out.clear();
            match (u32::from_be_bytes(*kind), data) {
                (0, _) => {
                    self.welcome.0.push(reply);
                    return Ok(());
                }
                (3, _) => frontend::password(&mut out, password.as_bytes()),
                (5, salt) => {
                    let salt = <[u8; 4]>::try_from(salt).map_err(|_| broken(&reply))?;
                    let answer = md5::response(&md5::shadow(&target.user, password), salt);
                    frontend::password(&mut out, answer.as_bytes());
                }
                (10, _) => {
                    let nonce = format!("raw{:x}", std::process::id() ^ self.local_number());
                    let client = scram::Client::new(nonce);
                    frontend::sasl_initial(&mut out, "SCRAM-SHA-256", &client.first());
                    exchange = Some(client);
                }
                (11, data) => {
                    let client = exchange.as_mut().ok_or_else(|| broken(&reply))?;
                    let challenge = client.on_server_first(data).map_err(other)?;
                    let keys =
                        scram::ClientKeys::derive(password, &challenge.salt, challenge.iterations);
                    let answer = client.respond(&keys);
                    frontend::sasl_response(&mut out, &answer);
                }
                (12, data) => {
                    let client = exchange.as_ref().ok_or_else(|| broken(&reply))?;
                    client.on_server_final(data).map_err(other)?;
                }
                _ => return Err(broken(&reply)),
            }
            self.write(&out)?;
        }
    }

    fn local_number(&self) -> u32 {
        match &self.stream {
            Stream::Tcp(stream) => {
                stream.local_addr().map_or(0, |address| u32::from(address.port()))
            }
            Stream::Tls(stream) => {
                stream.sock.socket.local_addr().map_or(0, |address| u32::from(address.port()))
            }
            Stream::Unix(_) => 1 << 16,
        }
    }
}

fn broken(reply: &Reply) -> Failure {
    Failure::Other(format!("unexpected at login: {reply:?}"))
}
