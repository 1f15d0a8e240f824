//! The probe against servers that refuse, fall silent, lie or get it wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bothways::model::code::Code;
use bothways::model::fact::Fact;
use bothways::model::finding::Status;
use bothways::wire::tftp::{Options, Packet};
use tokio::net::UdpSocket;

use super::{asking, reading};
use crate::support::daemon::free_fixed_port;
use crate::support::hostile::{Hostile, garbage};
use crate::support::{Seen, run, run_within};

const BRIEFLY: Duration = Duration::from_millis(400);

fn data(block: u16, bytes: usize) -> Vec<u8> {
    Packet::Data { block, bytes: vec![b'x'; bytes].into() }.encode()
}

fn granting(name: &str, value: u64) -> Vec<u8> {
    Packet::OptionAck(Options::default().with(name, value)).encode()
}

fn operation(datagram: &[u8]) -> u8 {
    datagram[1]
}

fn said(seen: &Seen) -> (Status, Code) {
    (seen.judgement.status, seen.judgement.code)
}

#[tokio::test]
async fn a_port_on_which_nothing_listens_is_refused() {
    let seen = run(&asking(None, free_fixed_port())).await;
    assert_eq!(said(&seen), (Status::Fail, Code::Refused), "{:?}", seen.evidence);
}

#[tokio::test]
async fn silence_decides_nothing_and_the_request_is_sent_again() {
    let silent = Hostile::udp(|_| Vec::new()).await;
    let seen = run_within(&asking(None, silent.address.port()), &[], Duration::from_millis(1000)).await;
    assert_eq!(said(&seen), (Status::Unknown, Code::NoAnswer));
    assert_eq!(seen.evidence.number(Fact::Resends), Some(1));
    assert!(seen.judgement.sentence.contains("new port"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_first_request_that_is_lost_is_made_good_by_the_second() {
    let requests = AtomicUsize::new(0);
    let lossy = Hostile::udp(move |_| match requests.fetch_add(1, Ordering::Relaxed) {
        0 => Vec::new(),
        _ => vec![Packet::error(1, "File not found").encode()],
    })
    .await;
    let seen = run(&asking(None, lossy.address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok));
    assert_eq!(seen.evidence.number(Fact::Resends), Some(1));
}

#[tokio::test]
async fn answers_that_are_not_tftp_are_another_service() {
    let request = Packet::decode(b"\0\x01a\0octet\0").expect("a request").encode();
    for answer in [garbage(), Vec::new(), vec![0], request, Packet::Ack(0).encode(), data(7, 512), data(1, 513)] {
        let hostile = Hostile::udp({
            let answer = answer.clone();
            move |_| vec![answer.clone()]
        })
        .await;
        let seen = run(&asking(None, hostile.address.port())).await;
        assert_eq!(said(&seen), (Status::Fail, Code::WrongService), "{answer:?}");
    }
}

#[tokio::test]
async fn options_that_were_not_asked_for_or_are_larger_are_not_tftp() {
    for (name, value) in [("blksize", 1500), ("blksize", 4), ("windowsize", 2), ("blksize", 70_000)] {
        let hostile = Hostile::udp(move |_| vec![granting(name, value)]).await;
        let seen = run(&reading("file", None, None, hostile.address.port())).await;
        assert_eq!(said(&seen), (Status::Fail, Code::WrongService), "{name}={value}");
    }
}

#[tokio::test]
async fn an_error_with_endless_text_is_shown_short() {
    let endless = [b"\0\x05\0\x01".as_slice(), vec![b'\x1b'; 40_000].as_slice()].concat();
    let hostile = Hostile::udp(move |_| vec![endless.clone()]).await;
    let seen = run(&asking(None, hostile.address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok));
    let message = seen.evidence.text(Fact::TftpMessage).expect("a message");
    assert!(message.chars().count() <= 200 && !message.contains('\x1b'), "{message}");
}

#[tokio::test]
async fn an_aborted_start_tells_the_server_to_stop() {
    let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let server = Hostile::udp({
        let heard = Arc::clone(&heard);
        move |datagram| {
            heard.lock().expect("unpoisoned").push(datagram.to_vec());
            match operation(datagram) {
                1 => vec![granting("tsize", 5000)],
                4 => vec![data(1, 512)],
                _ => Vec::new(),
            }
        }
    })
    .await;
    let seen = run(&asking(Some("file"), server.address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok));
    let told = async {
        while heard.lock().expect("unpoisoned").len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), told).await.expect("a third packet");
    assert!(matches!(Packet::decode(&heard.lock().expect("unpoisoned")[2]), Ok(Packet::Error { code: 0, .. })));
}

#[tokio::test]
async fn a_server_that_never_hears_the_acknowledgement_has_not_handed_out_the_start_of_a_file() {
    let server = Hostile::udp(|datagram| match operation(datagram) {
        1 | 4 => vec![granting("tsize", 5000)],
        _ => Vec::new(),
    })
    .await;
    let seen = run_within(&asking(Some("file"), server.address.port()), &[], BRIEFLY).await;
    assert_eq!(said(&seen), (Status::Fail, Code::TftpTransferPortBlocked), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_that_begins_and_falls_silent_is_stalled() {
    let hostile = Hostile::udp(|datagram| if operation(datagram) == 1 { vec![data(1, 512)] } else { Vec::new() }).await;
    let seen = run_within(&reading("file", None, None, hostile.address.port()), &[], BRIEFLY).await;
    assert_eq!(said(&seen), (Status::Fail, Code::TftpStalled));
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(512));
}

#[tokio::test]
async fn a_server_that_grants_options_and_never_sends_a_block_loses_large_packets() {
    let hostile =
        Hostile::udp(|datagram| if operation(datagram) == 1 { vec![granting("blksize", 1428)] } else { Vec::new() });
    let seen = run_within(&reading("file", None, None, hostile.await.address.port()), &[], BRIEFLY).await;
    assert_eq!(said(&seen), (Status::Fail, Code::TftpStalled));
    assert!(seen.judgement.sentence.contains("first block"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_that_breaks_off_is_quoted() {
    let hostile = Hostile::udp(|datagram| match operation(datagram) {
        1 => vec![data(1, 512)],
        _ => vec![Packet::error(3, "disk on fire").encode()],
    })
    .await;
    let seen = run(&reading("file", None, None, hostile.address.port())).await;
    assert_eq!(said(&seen), (Status::Fail, Code::TftpStalled));
    assert!(seen.judgement.sentence.contains("disk on fire"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn a_server_that_turns_to_garbage_in_mid_file_is_another_service() {
    let hostile = Hostile::udp(|datagram| if operation(datagram) == 1 { vec![data(1, 512)] } else { vec![garbage()] });
    let seen = run(&reading("file", None, None, hostile.await.address.port())).await;
    assert_eq!(said(&seen), (Status::Fail, Code::WrongService));
}

#[tokio::test]
async fn a_file_that_ends_before_the_size_that_was_told_is_not_whole() {
    let hostile = Hostile::udp(|datagram| match operation(datagram) {
        1 => vec![granting("tsize", 100)],
        _ => vec![data(1, 60)],
    })
    .await;
    let seen = run(&reading("file", None, None, hostile.address.port())).await;
    assert_eq!(said(&seen), (Status::Fail, Code::TftpStalled));
    assert!(seen.judgement.sentence.contains("60 of 100 bytes"), "{}", seen.judgement.sentence);
}

#[tokio::test]
async fn blocks_that_come_twice_are_acknowledged_once() {
    let acknowledgements = Arc::new(AtomicUsize::new(0));
    let server = Hostile::udp({
        let acknowledgements = Arc::clone(&acknowledgements);
        move |datagram| match Packet::decode(datagram) {
            Ok(Packet::Read(_)) => vec![data(1, 512), data(1, 512)],
            Ok(Packet::Ack(block)) => {
                acknowledgements.fetch_add(1, Ordering::Relaxed);
                let next = data(block + 1, if block == 49 { 1 } else { 512 });
                if block < 50 { vec![next.clone(), next] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    })
    .await;
    let seen = run(&reading("file", None, None, server.address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(49 * 512 + 1));
    assert!(acknowledgements.load(Ordering::Relaxed) <= 50, "one for each block");
}

#[tokio::test]
async fn a_block_that_is_lost_in_a_window_is_asked_for_again() {
    let server = Hostile::udp(|datagram| match Packet::decode(datagram) {
        Ok(Packet::Read(_)) => {
            vec![Packet::OptionAck(Options::default().with("blksize", 8).with("windowsize", 4)).encode()]
        }
        Ok(Packet::Ack(0)) => vec![data(1, 8), data(3, 8), data(4, 8)],
        Ok(Packet::Ack(1)) => vec![data(2, 8), data(3, 8), data(4, 8), data(5, 3)],
        _ => Vec::new(),
    })
    .await;
    let seen = run(&reading("file", Some(8), Some(4), server.address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(35));
}

#[tokio::test]
async fn a_server_that_refuses_options_is_asked_again_without() {
    let server = Hostile::udp(|datagram| match Packet::decode(datagram) {
        Ok(Packet::Read(request)) if !request.options.is_empty() => vec![Packet::error(8, "no options").encode()],
        Ok(Packet::Read(_)) => vec![data(1, 3)],
        _ => Vec::new(),
    })
    .await;
    let seen = run(&reading("file", None, None, server.address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(3));
}

async fn bound(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

#[tokio::test]
async fn packets_from_another_port_are_told_so_and_do_not_disturb() {
    let (requests, address) = bound("127.0.0.1:0").await;
    let (transfer, transfer_address) = bound("127.0.0.1:0").await;
    let (stranger, _) = bound("127.0.0.1:0").await;
    let server = tokio::spawn(async move {
        let mut buffer = [0; 600];
        let (_, client) = requests.recv_from(&mut buffer).await.expect("a request");
        transfer.send_to(&data(1, 512), client).await.expect("sent");
        transfer.recv_from(&mut buffer).await.expect("an acknowledgement");
        stranger.send_to(&data(2, 512), client).await.expect("sent");
        let (length, _) = stranger.recv_from(&mut buffer).await.expect("an error");
        let told = Packet::decode(&buffer[..length]).map(|packet| packet.encode());
        transfer.send_to(&data(2, 5), client).await.expect("sent");
        told
    });
    let seen = run(&reading("file", None, None, address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    assert_eq!(seen.evidence.number(Fact::FileRead), Some(517));
    assert_eq!(seen.evidence.number(Fact::TransferPort), Some(u64::from(transfer_address.port())));
    let told = server.await.expect("the server ends").expect("a packet");
    assert!(matches!(Packet::decode(&told), Ok(Packet::Error { code: 5, .. })));
}

#[tokio::test]
async fn a_stranger_that_is_gone_does_not_look_like_a_refusal() {
    let (requests, address) = bound("127.0.0.1:0").await;
    let server = tokio::spawn(async move {
        let mut buffer = [0; 600];
        let (_, client) = requests.recv_from(&mut buffer).await.expect("a request");
        requests.send_to(&data(1, 512), client).await.expect("sent");
        requests.recv_from(&mut buffer).await.expect("an acknowledgement");
        let (gone, _) = bound("127.0.0.1:0").await;
        gone.send_to(&data(2, 512), client).await.expect("sent");
        drop(gone);
        // Packets are taken in order: once this stranger is answered, the one that is gone was answered too.
        let (stranger, _) = bound("127.0.0.1:0").await;
        stranger.send_to(&data(2, 512), client).await.expect("sent");
        stranger.recv_from(&mut buffer).await.expect("an error");
        requests.send_to(&data(2, 5), client).await.expect("sent");
        requests
    });
    let seen = run(&reading("file", None, None, address.port())).await;
    assert_eq!(said(&seen), (Status::Pass, Code::Ok), "{:?}", seen.evidence);
    drop(server);
}

#[tokio::test]
async fn an_answer_from_another_address_is_ignored_and_mentioned() {
    let (requests, address) = bound("127.0.0.1:0").await;
    let (elsewhere, _) = bound("127.0.0.2:0").await;
    let server = tokio::spawn(async move {
        let (_, client) = requests.recv_from(&mut [0; 600]).await.expect("a request");
        elsewhere.send_to(&Packet::error(1, "File not found").encode(), client).await.expect("sent");
        (requests, elsewhere)
    });
    let seen = run_within(&asking(None, address.port()), &[], BRIEFLY).await;
    assert_eq!(said(&seen), (Status::Unknown, Code::NoAnswer));
    assert!(seen.judgement.sentence.contains("127.0.0.2"), "{}", seen.judgement.sentence);
    drop(server);
}
