//! The answering half of SQL Server: PRELOGIN, TLS inside (TDS 7) or first (TDS 8.0), and a refusal of every login.
//!
//! Clients get as far as their own "login failed", which proves the way to them. Of a login only the TDS version and the
//! database are read; users and passwords are neither looked at nor kept.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::Shared;
use super::metered::Metered;
use super::receipts::Draft;
use super::stream::Visit;
use crate::model::probe::Protocol;
use crate::model::run::Receipt;
use crate::net::Duplex;
use crate::net::count::{Counted, Counter};
use crate::net::tds::{Wrapped, read_message};
use crate::wire::tds::login::Login;
use crate::wire::tds::prelogin::{Encryption, Prelogin, Version, option};
use crate::wire::tds::{ALPN, Kind, TLS_FIRST, packets};

/// What this responder answers as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The instance that this port belongs to.
    pub instance: String,
    pub version: Version,
    pub encryption: Mode,
}

/// What the responder says of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// What the client wants, as a server does that is left as installed.
    #[default]
    Offered,
    /// Force Encryption.
    Required,
    /// Force Strict Encryption: nothing in the clear is answered.
    Strict,
    NotSupported,
}

impl Default for Service {
    fn default() -> Self {
        let version = Version { major: 16, minor: 0, build: 1000, sub_build: 0 };
        Self { instance: "MSSQLSERVER".to_owned(), version, encryption: Mode::Offered }
    }
}

/// "Login failed", as SQL Server numbers it.
const LOGIN_FAILED: u32 = 18456;
const REFUSAL: &str = "bothways responder: no SQL Server here, but the way to it is open";

pub(super) async fn answer(service: Service, visit: Visit) {
    let Visit { stream, from, at, shared, .. } = visit;
    let stream = Counted::new(stream);
    let bytes = stream.counter();
    let receipt = shared.receipts.counting(Protocol::Sql, (from, at), Arc::clone(&bytes), 0);
    let mut conversation = Conversation { service, shared, bytes, receipt: Some(receipt) };
    // A client that ends early, or talks nonsense, is no error of this side.
    let _ = conversation.hold(stream).await;
    conversation.keep_receipt(|_| ());
}

/// One client, and what is to be kept of it.
struct Conversation {
    service: Service,
    shared: Arc<Shared>,
    bytes: Arc<Counter>,
    /// Until it is kept, which is as soon as PRELOGIN is answered: the answer may never arrive.
    receipt: Option<Draft>,
}

impl Conversation {
    /// The first byte tells which protocol the client speaks.
    async fn hold(&mut self, mut stream: Counted<Metered>) -> io::Result<()> {
        let mut first = [0];
        if self.soon(stream.get_ref().peek(&mut first)).await? == 0 {
            return Ok(());
        }
        let mode = self.service.encryption;
        match first[0] {
            TLS_FIRST if mode != Mode::NotSupported => {
                let mut stream = self.soon(self.shared.certificate.acceptor(&[ALPN]).accept(stream)).await?;
                self.prelogin(&mut stream, true).await?;
                self.login(&mut stream).await
            }
            kind if kind == Kind::Prelogin as u8 && mode != Mode::Strict => self.in_packets(stream).await,
            // TDS 7.0 knows no PRELOGIN.
            kind if kind == Kind::Login7 as u8 && matches!(mode, Mode::Offered | Mode::NotSupported) => {
                self.login(&mut stream).await
            }
            _ => Ok(()),
        }
    }

    /// TDS 7: PRELOGIN in the clear, then TLS in packets where both sides have it.
    async fn in_packets(&mut self, mut stream: Counted<Metered>) -> io::Result<()> {
        let (client, server) = self.prelogin(&mut stream, false).await?;
        match (client, server) {
            // The client has no encryption and this side insists: the client gives up.
            (Encryption::NotSupported, Encryption::Required) => return Ok(()),
            (_, Encryption::NotSupported) => return self.login(&mut stream).await,
            _ => {}
        }
        let mut tls = self.soon(self.acceptor_in_packets()?.accept(Wrapped::new(stream))).await?;
        tls.get_mut().0.unwrap_from_here();
        if server != Encryption::Off {
            return self.login(&mut tls).await;
        }
        // Only the login itself is encrypted: the answer to it already is not.
        let login = self.read_login(&mut tls).await?;
        let mut stream = tls.into_inner().0.into_inner();
        self.refuse(&login, &mut stream).await
    }

    /// Reads and answers a PRELOGIN; gives what the client and this side say of encryption.
    async fn prelogin(&mut self, stream: &mut impl Duplex, strict: bool) -> io::Result<(Encryption, Encryption)> {
        let body = self.soon(read_message(stream, Kind::Prelogin, &mut Vec::new())).await?;
        let question = Prelogin::decode(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let client = question.encryption().unwrap_or(Encryption::NotSupported);
        let server = if strict { Encryption::Required } else { self.says(client) };
        let matches = question.instance().is_none_or(|name| name.eq_ignore_ascii_case(&self.service.instance));
        let mut answer = question.answer(self.service.version, server, matches);
        let token = question.token();
        if let (Some(_), Some(trace)) = (&token, question.value(option::TRACEID)) {
            answer = answer.with(option::TRACEID, trace);
        }
        if let Some(padding) = question.value(option::PADDING) {
            // As many bytes as came, which is at most one message.
            answer = answer.with(option::PADDING, padding);
        }
        let written = self.say(stream, &answer.encode()).await;
        let presented = (server != Encryption::NotSupported).then(|| self.shared.certificate.fingerprint.clone());
        self.keep_receipt(|receipt| {
            let about =
                question.instance().map_or(String::new(), |name| format!(" for instance {}", name.escape_debug()));
            receipt.asked = Some(format!("PRELOGIN{about}{}", if strict { " inside TLS" } else { "" }));
            receipt.token = token.map(|token| token.to_string());
            receipt.presented = presented;
        });
        written.map(|()| (client, server))
    }

    fn says(&self, client: Encryption) -> Encryption {
        match (self.service.encryption, client) {
            (Mode::NotSupported, _) | (Mode::Offered, Encryption::NotSupported) => Encryption::NotSupported,
            (Mode::Offered, Encryption::Off) => Encryption::Off,
            (Mode::Offered, Encryption::On | Encryption::Required) => Encryption::On,
            (Mode::Required | Mode::Strict, _) => Encryption::Required,
        }
    }

    async fn login(&mut self, stream: &mut impl Duplex) -> io::Result<()> {
        let login = self.read_login(stream).await?;
        self.refuse(&login, stream).await
    }

    async fn read_login(&self, stream: &mut impl Duplex) -> io::Result<Login> {
        let body = self.soon(read_message(stream, Kind::Login7, &mut Vec::new())).await?;
        Login::decode(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    async fn refuse(&self, login: &Login, stream: &mut impl Duplex) -> io::Result<()> {
        self.say(stream, &login.refuse(LOGIN_FAILED, REFUSAL, &self.service.instance)).await?;
        self.soon(stream.shutdown()).await?;
        // Closing with bytes unread would reset the connection, and the refusal could be lost on the way.
        let mut rest = [0; 512];
        self.soon(async {
            while stream.read(&mut rest).await? > 0 {}
            Ok(())
        })
        .await
    }

    async fn say(&self, stream: &mut impl Duplex, body: &[u8]) -> io::Result<()> {
        let bytes = packets(Kind::Reply, body);
        self.soon(async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        })
        .await
    }

    /// TLS for inside of packets: 1.2 and no newer, as TDS 7 has it. With 1.3 the client speaks last in a handshake, and
    /// clients leave those bytes lying until the login, which is no longer in such a packet.
    fn acceptor_in_packets(&self) -> io::Result<TlsAcceptor> {
        let given = self.shared.certificate.acceptor(&[]);
        let config = ServerConfig::builder_with_provider(Arc::clone(given.config().crypto_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&given.config().cert_resolver));
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Waits for one operation, as long as a connection may idle.
    async fn soon<T>(&self, operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        tokio::time::timeout(self.shared.limits.idle, operation).await?
    }

    fn keep_receipt(&mut self, fill: impl FnOnce(&mut Receipt)) {
        let Some(receipt) = self.receipt.take() else { return };
        receipt.note(|receipt| {
            receipt.sent_bytes = self.bytes.sent();
            fill(receipt);
        });
    }
}
