//! How this system asks a program to end: Ctrl-C and Ctrl-Break, the console's window that is closed, signing out and
//! shutting down. (For the last three the system waits a few seconds.)

use std::future::pending;

use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

/// Completes when this program is asked to end. It listens from the first time that it is polled.
pub async fn asked_to_end() {
    macro_rules! one {
        ($listening:expr) => {
            async {
                match $listening {
                    Ok(mut signals) => {
                        signals.recv().await;
                    }
                    Err(_) => pending().await,
                }
            }
        };
    }
    tokio::select! {
        () = one!(ctrl_c()) => {}
        () = one!(ctrl_break()) => {}
        () = one!(ctrl_close()) => {}
        () = one!(ctrl_logoff()) => {}
        () = one!(ctrl_shutdown()) => {}
    }
}
