//! How this system asks a program to end: Ctrl-C (SIGINT), and SIGTERM from whoever manages it.

use std::future::{Future, pending};

use tokio::signal::unix::{SignalKind, signal};

/// Completes when this program is asked to end. It listens from the first time that it is polled.
pub async fn asked_to_end() {
    tokio::select! {
        () = one(SignalKind::interrupt()) => {}
        () = one(SignalKind::terminate()) => {}
    }
}

fn one(kind: SignalKind) -> impl Future<Output = ()> {
    let listening = signal(kind);
    async move {
        match listening {
            Ok(mut signals) => {
                signals.recv().await;
            }
            // A system that takes no handler ends the program by itself.
            Err(_) => pending().await,
        }
    }
}
