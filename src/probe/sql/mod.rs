//! The asking half of SQL Server (MS-TDS): PRELOGIN and TLS without credentials, then a login and a query with them.
//!
//! A server set to strict encryption (TDS 8.0) closes on a PRELOGIN in the clear. So where that question is not answered,
//! the same question is asked inside TLS on a second connection, and that answer, if one comes, is the one that counts.

mod login;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::model::ask::{Ask, TlsExpectation, Trust};
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::{Sql, SqlEncryption};
use crate::net::tds::{Wrapped, read_message};
use crate::net::trace::{OpenStep, Trace};
use crate::net::{Net, Stopped, Stream, failure, tcp, tls};
use crate::wire::tds::prelogin::{Encryption, Prelogin, Version, option};
use crate::wire::tds::{ALPN, Kind, TLS_ALERT, packets};

/// How long a PRELOGIN in the clear may stay unanswered before TLS is tried first beside it, and how long that may take
/// once the clear one has failed. Part of the protocol's own negotiation: the clear question stays open meanwhile.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(super) async fn run(
    settings: &Sql,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    let asking = Asking { settings, ask, address, wanted: settings.encryption.unwrap_or_default() };
    trace.fact(Fact::Token, ask.token.as_str());
    if let Some(instance) = &settings.instance {
        trace.fact(Fact::Instance, instance.as_str());
    }
    let met = match asking.wanted {
        SqlEncryption::Strict => asking.strict_or_clear(trace).await?,
        SqlEncryption::Any | SqlEncryption::Required => asking.clear_or_strict(trace).await?,
    };
    match &settings.account {
        Some(account) if met.suits(asking.wanted) => login::run(&asking, met.encryption, account, net, trace).await,
        _ => Ok(()),
    }
}

/// One question with everything that it depends on.
struct Asking<'a> {
    settings: &'a Sql,
    ask: &'a Ask,
    address: SocketAddr,
    wanted: SqlEncryption,
}

/// How the server wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    /// TDS 7: TLS, if any, inside packets.
    Inside(Encryption),
    /// TDS 8.0: TLS first.
    Strict,
}

/// What a server's PRELOGIN says that decides what comes next.
struct Met {
    encryption: Agreed,
    /// Whether it is the instance that was asked for, where it says.
    matches: Option<bool>,
}

impl Met {
    /// Whether going on makes sense: no password goes to another instance, or weaker encrypted than wanted.
    fn suits(&self, wanted: SqlEncryption) -> bool {
        let encrypted = match wanted {
            SqlEncryption::Any => true,
            SqlEncryption::Required => {
                matches!(self.encryption, Agreed::Strict | Agreed::Inside(Encryption::On | Encryption::Required))
            }
            SqlEncryption::Strict => self.encryption == Agreed::Strict,
        };
        encrypted && self.matches != Some(false)
    }
}

/// A server's PRELOGIN.
struct Answer {
    prelogin: Prelogin,
    version: Version,
    encryption: Encryption,
}

/// Why no answer was understood, with the bytes that came.
struct Unheard {
    error: io::Error,
    seen: Vec<u8>,
}

impl Unheard {
    fn end(self, step: OpenStep, trace: &Trace) -> Stopped {
        if !self.seen.is_empty() {
            trace.fact(Fact::Banner, self.seen[..self.seen.len().min(120)].escape_ascii().to_string());
        }
        step.fail_io(&self.error)
    }

    /// Whether a server that wants TLS first may have ended it so: without a word, or with a TLS alert.
    fn may_be_strict(&self) -> bool {
        let ended = matches!(failure::of_io(&self.error).0, Failure::Closed | Failure::Reset);
        (self.seen.is_empty() && ended) || self.seen.first() == Some(&TLS_ALERT)
    }
}

/// What came of a question in the clear.
enum Heard {
    Clear(Answer),
    /// Nothing, but on another connection with TLS first there was an answer; that conversation's trace.
    Strict(Met, Trace),
    Nothing(Unheard),
}

impl Asking<'_> {
    /// PRELOGIN in the clear; with TLS first where that is not answered.
    async fn clear_or_strict(&self, trace: &Trace) -> Result<Met, Stopped> {
        let mut stream = tcp::connect(self.address, self.ask, trace).await?;
        self.send(&mut stream, trace).await?;
        let step = trace.begin(StepKind::Reply, Some(self.address.to_string()));
        let answer = match self.hear_or_strict(&mut stream, &step, trace).await {
            Heard::Clear(answer) => answer,
            Heard::Strict(met, aside) => {
                step.pass_with("not answered in the clear; asked again with TLS first");
                trace.adopt(&aside);
                return Ok(met);
            }
            Heard::Nothing(unheard) => return Err(unheard.end(step, trace)),
        };
        let met = self.meet(&answer, Agreed::Inside(answer.encryption), step, trace);
        if answer.encryption != Encryption::NotSupported && met.suits(self.wanted) {
            let wrapped: Stream = Box::new(Wrapped::new(stream));
            tls::handshake(wrapped, self.name(), &self.expectation(), &[], trace).await?;
        }
        Ok(met)
    }

    /// Waits for the answer in the clear; where it stays away, or the connection ends instead, TLS is tried first on
    /// another connection.
    async fn hear_or_strict(&self, stream: &mut tcp::Connection, step: &OpenStep, trace: &Trace) -> Heard {
        let mut hearing = std::pin::pin!(hear(stream));
        let late = async {
            tokio::time::sleep(PATIENCE).await;
            self.strict_aside(trace).await
        };
        let heard = tokio::select! {
            heard = &mut hearing => heard,
            aside = late => match aside {
                Some((met, aside)) => return Heard::Strict(met, aside),
                None => hearing.await,
            },
        };
        let unheard = match heard {
            Ok(answer) => return Heard::Clear(answer),
            Err(unheard) => unheard,
        };
        if !unheard.may_be_strict() {
            return Heard::Nothing(unheard);
        }
        step.if_cut(failure::of_io(&unheard.error).0);
        match tokio::time::timeout(PATIENCE, self.strict_aside(trace)).await {
            Ok(Some((met, aside))) => Heard::Strict(met, aside),
            _ => Heard::Nothing(unheard),
        }
    }

    /// TLS first on a connection and a trace of its own, which is only worth keeping where it comes to an answer.
    async fn strict_aside(&self, trace: &Trace) -> Option<(Met, Trace)> {
        let aside = trace.fork();
        let stream = tcp::connect(self.address, self.ask, &aside).await.ok()?;
        let met = self.strict(stream, &aside).await.ok()?;
        Some((met, aside))
    }

    /// TLS first; where that fails, PRELOGIN in the clear tells whether a SQL Server is there that wants it otherwise.
    async fn strict_or_clear(&self, trace: &Trace) -> Result<Met, Stopped> {
        let stream = tcp::connect(self.address, self.ask, trace).await?;
        let stopped = match self.strict(stream, trace).await {
            Ok(met) => return Ok(met),
            Err(stopped) => stopped,
        };
        let aside = trace.fork();
        if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, self.clear_aside(&aside)).await {
            trace.adopt(&aside);
        }
        Err(stopped)
    }

    async fn clear_aside(&self, aside: &Trace) -> Result<(), Stopped> {
        let mut stream = tcp::connect(self.address, self.ask, aside).await?;
        self.send(&mut stream, aside).await?;
        let step = aside.begin(StepKind::Reply, Some(self.address.to_string()));
        match hear(&mut stream).await {
            Ok(answer) => {
                self.meet(&answer, Agreed::Inside(answer.encryption), step, aside);
                Ok(())
            }
            Err(unheard) => Err(unheard.end(step, aside)),
        }
    }

    /// TDS 8.0 on an open connection: TLS, and PRELOGIN inside it.
    async fn strict(&self, stream: tcp::Connection, trace: &Trace) -> Result<Met, Stopped> {
        let mut stream = tls::handshake(Box::new(stream), self.name(), &self.expectation(), &[ALPN], trace).await?;
        self.send(&mut stream, trace).await?;
        let step = trace.begin(StepKind::Reply, Some(self.address.to_string()));
        match hear(&mut stream).await {
            Ok(answer) => Ok(self.meet(&answer, Agreed::Strict, step, trace)),
            Err(unheard) => Err(unheard.end(step, trace)),
        }
    }

    async fn send(&self, stream: &mut (impl AsyncWrite + Unpin), trace: &Trace) -> Result<(), Stopped> {
        let encryption = match self.wanted {
            // The least that a client can ask for, so that the server's answer shows what the server insists on.
            SqlEncryption::Any => Encryption::Off,
            SqlEncryption::Required => Encryption::On,
            SqlEncryption::Strict => Encryption::Required,
        };
        let question = Prelogin::question(encryption, self.settings.instance.as_deref(), &self.ask.token);
        let question = match self.settings.padding {
            Some(bytes) => question.with(option::PADDING, vec![0; bytes]),
            None => question,
        };
        let bytes = packets(Kind::Prelogin, &question.encode());
        let sending = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        trace.step(StepKind::Request, Some(self.address.to_string()), sending).await
    }

    /// Ends the reply step and publishes what the server says.
    fn meet(&self, answer: &Answer, encryption: Agreed, step: OpenStep, trace: &Trace) -> Met {
        let word = match encryption {
            Agreed::Inside(encryption) => encryption.word(),
            Agreed::Strict => "strict",
        };
        step.pass_with(format!("PRELOGIN: version {}, encryption {word}", answer.version));
        trace.fact(Fact::Version, answer.version.to_string());
        trace.fact(Fact::Encryption, word);
        trace.fact(Fact::Echoed, answer.prelogin.token().as_ref() == Some(&self.ask.token));
        let matches = self.settings.instance.as_ref().and_then(|_| answer.prelogin.instance_matches());
        if let Some(matches) = matches {
            trace.fact(Fact::InstanceMatches, matches);
        }
        Met { encryption, matches }
    }

    /// The name that the certificate must carry.
    fn name(&self) -> &str {
        self.ask.tls.name.as_deref().unwrap_or(&self.ask.host)
    }

    /// SQL Server makes its own certificate unless it is given one, and clients that don't insist on encryption take any.
    fn expectation(&self) -> TlsExpectation {
        if self.wanted == SqlEncryption::Any && self.ask.tls == TlsExpectation::default() {
            return TlsExpectation { trust: Trust::Anyone, ..TlsExpectation::default() };
        }
        self.ask.tls.clone()
    }
}

/// Reads a server's PRELOGIN.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Result<Answer, Unheard> {
    let mut seen = Vec::new();
    let body = match read_message(stream, Kind::Reply, &mut seen).await {
        Ok(body) => body,
        Err(error) => return Err(Unheard { error, seen }),
    };
    match Prelogin::decode_answer(&body) {
        Ok((prelogin, version, encryption)) => Ok(Answer { prelogin, version, encryption }),
        Err(error) => Err(Unheard { error: io::Error::new(io::ErrorKind::InvalidData, error), seen }),
    }
}
