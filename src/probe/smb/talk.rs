//! Questions and answers on one connection, each as a `request` and a `reply` step.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::token::Token;
use crate::net::Stopped;
use crate::net::tcp::Connection;
use crate::net::trace::{OpenStep, Trace};
use crate::wire::smb::frame::{self, Head, Kind};
use crate::wire::smb::header::{Header, command};
use crate::wire::smb::negotiate::{self, CAPABILITY_ENCRYPTION, Context, SIGNING_ENABLED, cipher, dialect};
use crate::wire::smb::{Guid, Malformed, smb1, status};

/// Longer answers to what is asked here are no answers.
const LONGEST: usize = 1 << 20;
/// Bytes of a foreign answer that are shown.
const BANNER: usize = 64;

/// A connection to a file server.
pub(super) struct Talk<'a> {
    stream: Connection,
    address: String,
    trace: &'a Trace,
    /// What arrived and was not yet taken.
    buffer: Vec<u8>,
    next_message: u64,
    pub(super) session: u64,
    hung_up: bool,
}

/// Why there is no answer.
enum Broken {
    Io(io::Error),
    /// It ended where an answer should have come.
    Closed,
    /// Something that is not framed as SMB.
    Foreign,
}

/// An answer: its header, and the whole message.
pub(super) struct Answer {
    pub(super) head: Header,
    pub(super) message: Vec<u8>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(stream: Connection, address: SocketAddr, trace: &'a Trace) -> Self {
        Self {
            stream,
            address: address.to_string(),
            trace,
            buffer: Vec::new(),
            next_message: 0,
            session: 0,
            hung_up: false,
        }
    }

    pub(super) fn trace(&self) -> &'a Trace {
        self.trace
    }

    /// Whether the far side ended the connection without a word, as SMB1-only servers do when they see SMB2.
    pub(super) fn hung_up(&self) -> bool {
        self.hung_up
    }

    /// NEGOTIATE with every dialect there is, and bytes that only fill packets; what the server chose goes into the facts.
    pub(super) async fn negotiate(
        &mut self,
        token: &Token,
        padding: Option<usize>,
    ) -> Result<negotiate::Response, Stopped> {
        let mut request = offer(&dialect::ALL, token);
        request.contexts.extend(padding.map(Context::padding));
        self.offer(&request).await
    }

    /// NEGOTIATE with these dialects; what the server chose goes into the facts.
    pub(super) async fn negotiate_with(
        &mut self,
        dialects: &[u16],
        token: &Token,
    ) -> Result<negotiate::Response, Stopped> {
        self.offer(&offer(dialects, token)).await
    }

    async fn offer(&mut self, request: &negotiate::Request) -> Result<negotiate::Response, Stopped> {
        let head = self.next_header(command::NEGOTIATE);
        let (answer, step) = self.ask(request.encode(&head), "NEGOTIATE").await?;
        if answer.head.status != status::SUCCESS {
            self.refused(answer.head.status);
            return Err(step.fail_with(Failure::Unexpected, status::describe(answer.head.status)));
        }
        let response = match negotiate::Response::decode(&answer.message) {
            Ok(response) => response,
            Err(malformed) => return Err(self.malformed(step, &answer.message, malformed)),
        };
        self.publish(&response);
        step.pass_with(format!("SMB {}", dialect::name(response.dialect)));
        Ok(response)
    }

    /// Asks with one whole message and waits for its final answer; the `reply` step is left to the caller to end.
    pub(super) async fn ask(&mut self, message: Vec<u8>, what: &str) -> Result<(Answer, OpenStep), Stopped> {
        self.send(&frame::message(&message), what).await?;
        let asked = self.next_message - 1;
        let step = self.trace.begin(StepKind::Reply, Some(self.address.clone()));
        loop {
            let message = match self.receive().await {
                Ok((Kind::Message, message)) => message,
                Ok((Kind::KeepAlive, _)) => continue,
                Ok((Kind::SessionRefused, _)) => {
                    return Err(step.fail_with(Failure::Unexpected, "the session is refused"));
                }
                Ok(_) => return Err(step.fail(Failure::Malformed)),
                Err(broken) => return Err(self.broken(step, broken)),
            };
            match Header::decode(&message) {
                Ok(head) if !head.is_final_response() => {}
                Ok(head) if head.message_id == asked => return Ok((Answer { head, message }, step)),
                Ok(_) => return Err(self.malformed(step, &message, Malformed("it answers another question"))),
                Err(malformed) => return Err(self.malformed(step, &message, malformed)),
            }
        }
    }

    /// Sends one frame that is no SMB2 message and waits for the frame that answers it.
    pub(super) async fn exchange(&mut self, bytes: &[u8], what: &str) -> Result<(Kind, Vec<u8>, OpenStep), Stopped> {
        self.send(bytes, what).await?;
        let step = self.trace.begin(StepKind::Reply, Some(self.address.clone()));
        match self.receive().await {
            Ok((kind, body)) => Ok((kind, body, step)),
            Err(broken) => Err(self.broken(step, broken)),
        }
    }

    pub(super) fn next_header(&mut self, command: u16) -> Header {
        let head = Header::request(command, self.next_message, self.session);
        self.next_message += 1;
        head
    }

    /// Publishes the status with which the server refused.
    pub(super) fn refused(&self, status: u32) {
        self.trace.fact(Fact::NtStatus, status::number(status));
    }

    /// Ends a step whose answer could not be read.
    pub(super) fn malformed(&self, step: OpenStep, message: &[u8], malformed: Malformed) -> Stopped {
        if smb1::is_smb1(message) {
            self.trace.fact(Fact::Dialect, "1");
            return step.fail_with(Failure::Unexpected, "SMB1");
        }
        self.trace.fact(Fact::Banner, printable(message));
        step.fail_with(Failure::Malformed, malformed.to_string())
    }

    async fn send(&mut self, bytes: &[u8], what: &str) -> Result<(), Stopped> {
        let step = self.trace.begin(StepKind::Request, Some(self.address.clone()));
        match self.stream.write_all(bytes).await {
            Ok(()) => step.pass_with(what),
            Err(error) => return Err(step.fail_io(&error)),
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<(Kind, Vec<u8>), Broken> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<{ frame::HEAD }>() {
                let head = Head::decode(*head).map_err(|_| Broken::Foreign)?;
                if head.length > LONGEST {
                    return Err(Broken::Foreign);
                }
                let end = frame::HEAD + head.length;
                if self.buffer.len() >= end {
                    let body = self.buffer[frame::HEAD..end].to_vec();
                    self.buffer.drain(..end);
                    return Ok((head.kind, body));
                }
            }
            self.buffer.reserve(4096);
            if self.stream.read_buf(&mut self.buffer).await.map_err(Broken::Io)? == 0 {
                let framed = self.buffer.first().is_none_or(|first| Head::decode([*first, 0, 0, 0]).is_ok());
                return Err(if framed { Broken::Closed } else { Broken::Foreign });
            }
        }
    }

    fn broken(&mut self, step: OpenStep, broken: Broken) -> Stopped {
        let arrived = self.buffer.len();
        self.hung_up = arrived == 0 && !matches!(broken, Broken::Foreign);
        match broken {
            Broken::Io(error) => step.fail_io(&error),
            Broken::Closed if arrived == 0 => step.fail(Failure::Closed),
            Broken::Closed => step.fail_with(Failure::Closed, format!("after {arrived} bytes of an answer")),
            Broken::Foreign => {
                self.trace.fact(Fact::Banner, printable(&self.buffer));
                step.fail(Failure::Malformed)
            }
        }
    }

    fn publish(&self, response: &negotiate::Response) {
        let cipher = response.cipher().map_or_else(|| "not offered".to_owned(), cipher::name);
        self.trace.fact(Fact::Dialect, dialect::name(response.dialect));
        self.trace.fact(Fact::Signing, if response.signing_required() { "required" } else { "enabled" });
        self.trace.fact(Fact::SmbEncryption, cipher);
        self.trace.fact(Fact::ServerGuid, response.server.to_string());
        self.trace.fact(Fact::Stage, "negotiate");
    }
}

/// What this side offers in NEGOTIATE; the client's GUID carries the token.
fn offer(dialects: &[u16], token: &Token) -> negotiate::Request {
    let salt = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    let ciphers = vec![cipher::AES_128_GCM, cipher::AES_128_CCM, cipher::AES_256_GCM, cipher::AES_256_CCM];
    negotiate::Request {
        security_mode: SIGNING_ENABLED,
        capabilities: CAPABILITY_ENCRYPTION,
        client: Guid::carrying(token),
        dialects: dialects.to_vec(),
        contexts: vec![Context::Preauth { hashes: vec![negotiate::SHA_512], salt }, Context::Encryption(ciphers)],
    }
}

/// The beginning of a foreign answer, for people.
fn printable(bytes: &[u8]) -> String {
    bytes.get(..BANNER).unwrap_or(bytes).escape_ascii().to_string()
}
