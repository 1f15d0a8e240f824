//! The asking half of TFTP reads (RFC 1350), as a boot client does them.
//!
//! The server answers from a port of its own choice, so the socket is never connected: the first answer from the
//! server's address decides the port, and everything from elsewhere is told so and ignored (RFC 1350 4). Lost packets
//! are the protocol's own business; the timers for them are here.
//!
//! # What is asked
//! A named file, or `bothways-` and this probe's token: "file not found" proves the path both ways as well as a file
//! does. Of a file that is there, as much is read as shows that the server hears the acknowledgements, which go to its
//! transfer port: a firewall that lets the request pass may drop those. A responder, known by the token, is asked for a
//! file as well, for the same. `tsize=0` asks for the size. A block size is asked for only where the check names one or the
//! whole file is read: then 1428, which with all headers fits an Ethernet path with room for a tunnel, is the default.

mod talk;
mod window;

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Map, Value};

use self::talk::{Talk, Transfer, shown};
use crate::model::ask::Ask;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::{Tftp, TftpRead};
use crate::model::token::Token;
use crate::net::trace::Trace;
use crate::net::udp::Datagrams;
use crate::net::{Net, Stopped};
use crate::wire::tftp::{self as wire, Options, Packet, Request, error, option};

pub(super) async fn run(
    settings: &Tftp,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    let _ = net;
    let datagrams = Datagrams::open(address, ask.source, trace)?;
    let mut talk = Talk::new(datagrams, address, trace);
    let request = request(settings, ask, trace);
    let mut answer = ask_for(&mut talk, &request, ask, trace).await?;
    if answer.refuses_options() && settings.blksize.is_none() && settings.windowsize.is_none() {
        // As real clients do: the server knows options, but not these.
        let plain = Request::octet(request.file.clone(), Options::default());
        answer = ask_for(&mut talk, &plain, ask, trace).await?;
    }
    match answer {
        Answer::Error { code, message } => {
            talk::publish_error(code, &message, trace);
            if message == wire::echo(&ask.token) { read_any(&mut talk, ask, trace).await } else { Ok(()) }
        }
        Answer::File(transfer) => talk.read(transfer, settings.read.unwrap_or_default()).await,
    }
}

/// Reads the beginning of a file from a responder, which has every one where it was told of none: its error needs no
/// acknowledgement, and so does not show that those reach its transfer port.
async fn read_any(talk: &mut Talk<'_>, ask: &Ask, trace: &Trace) -> Result<(), Stopped> {
    let request = Request::octet("any-file", Options::default().with(option::TRANSFER_SIZE, 0));
    match ask_for(talk, &request, ask, trace).await? {
        Answer::Error { .. } => Ok(()),
        Answer::File(transfer) => talk.read(transfer, TftpRead::Start).await,
    }
}

/// Whether the server answers a request that is sent only once; what it begins is ended at once.
pub(super) async fn is_answered(settings: &Tftp, ask: &Ask, address: SocketAddr, trace: &Trace) -> bool {
    let Ok(datagrams) = Datagrams::open(address, ask.source, trace) else { return false };
    let ask = Ask { token: Token::random(), ..ask.clone() };
    let mut talk = Talk::new(datagrams, address, trace);
    let datagram = Packet::Read(request(settings, &ask, trace)).encode();
    if talk.send_request(&datagram).await.is_err() || talk.one_answer().await.is_err() {
        return false;
    }
    talk.abort("that was enough").await;
    true
}

fn request(settings: &Tftp, ask: &Ask, trace: &Trace) -> Request {
    let mut options = Options::default().with(option::TRANSFER_SIZE, 0);
    if let Some(size) = settings.asked_block() {
        options = options.with(option::BLOCK_SIZE, size.into());
    }
    if let Some(size) = settings.windowsize {
        options = options.with(option::WINDOW_SIZE, size.into());
    }
    let file = settings.file.clone().unwrap_or_else(|| {
        trace.fact(Fact::Token, ask.token.as_str());
        ask.token.labelled()
    });
    Request::octet(file, options)
}

/// The server's first answer.
enum Answer {
    /// The file begins.
    File(Transfer),
    Error {
        code: u16,
        message: String,
    },
}

impl Answer {
    fn refuses_options(&self) -> bool {
        matches!(self, Self::Error { code: error::OPTION_REFUSED, .. })
    }
}

/// Sends the request and awaits the first answer: two steps.
async fn ask_for(talk: &mut Talk<'_>, request: &Request, ask: &Ask, trace: &Trace) -> Result<Answer, Stopped> {
    let datagram = Packet::Read(request.clone()).encode();
    let target = Some(talk.server().to_string());
    talk.forget_transfer();
    let step = trace.begin(StepKind::Request, target.clone());
    if let Err(refusal) = talk.send_request(&datagram).await {
        return Err(refusal.end(step));
    }
    step.pass_with(format!("read request for `{}`, {}", shown(&request.file), listed(&request.options)));
    let asked_at = Instant::now();
    let step = trace.begin(StepKind::Reply, target);
    let received = match talk.first_answer(&datagram).await {
        Ok(received) => received,
        Err(silence) => return Err(silence.end(step)),
    };
    trace.fact(Fact::FirstByteMs, u64::try_from(asked_at.elapsed().as_millis()).unwrap_or(u64::MAX));
    let Some((answer, note)) = understand(received, request, ask, trace) else {
        trace.fact(Fact::Banner, received[..received.len().min(64)].escape_ascii().to_string());
        return Err(step.fail(Failure::Malformed));
    };
    trace.fact(Fact::TransferPort, talk.lock());
    trace.fact(Fact::Address, talk.peer().to_string());
    step.pass_with(note);
    Ok(answer)
}

/// What the first answer means, with a line for people; nothing where it is no answer to this request.
fn understand(datagram: &[u8], request: &Request, ask: &Ask, trace: &Trace) -> Option<(Answer, String)> {
    match Packet::decode(datagram).ok()? {
        Packet::Data { block: 1, bytes } => {
            let transfer = Transfer::begun(wire::BLOCK, 1, Some(bytes.len()))?;
            Some((Answer::File(transfer), format!("the file begins: {} bytes", bytes.len())))
        }
        Packet::OptionAck(options) => {
            let transfer = agreed(&options, &request.options)?;
            if let Some(size) = options.number(option::TRANSFER_SIZE) {
                trace.fact(Fact::FileBytes, size);
            }
            trace.fact(Fact::Options, published(&options));
            Some((Answer::File(transfer), format!("the file is there: {}", listed(&options))))
        }
        Packet::Error { code, message } => {
            if request.file == ask.token.labelled() {
                trace.fact(Fact::Echoed, message == wire::echo(&ask.token));
            }
            let note = format!("error {code}: {}", shown(&message));
            Some((Answer::Error { code, message }, note))
        }
        _ => None,
    }
}

/// The transfer that the server's options make; nothing where it grants what was not asked for (RFC 2348, 7440).
fn agreed(granted: &Options, asked: &Options) -> Option<Transfer> {
    let number = |name: &str, lowest: u64, unset: u16| {
        if granted.get(name).is_none() {
            return Some(unset);
        }
        let value = granted.number(name).filter(|value| *value >= lowest)?;
        (value <= asked.number(name)?).then(|| u16::try_from(value).ok()).flatten()
    };
    let block_size = number(option::BLOCK_SIZE, u64::from(*wire::BLOCK_RANGE.start()), wire::BLOCK)?;
    let window = number(option::WINDOW_SIZE, 1, 1)?;
    Transfer::begun(block_size, window, None)
}

fn published(options: &Options) -> Value {
    options.iter().take(8).map(|(name, value)| (shown(name), shown(value).into())).collect::<Map<_, _>>().into()
}

fn listed(options: &Options) -> String {
    if options.is_empty() {
        return "no options".to_owned();
    }
    options
        .iter()
        .take(8)
        .map(|(name, value)| format!("{}={}", shown(name), shown(value)))
        .collect::<Vec<_>>()
        .join(" ")
}
