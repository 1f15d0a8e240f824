//! Only the first word of a handshake: what comes back to a hello with this server name, or with none.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, ClientConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::failure::alert_name;
use super::record::Recorder;
use super::{config, server_name, verdict};
use crate::model::certificate::HelloAnswer;
use crate::model::evidence::Failure;
use crate::net::{Stream, failure};

/// Says hello, with a server name or without, and reads no more than shows what came back.
pub async fn greet(mut stream: Stream, name: Option<&str>) -> HelloAnswer {
    let Some(hello) = hello(name) else { return HelloAnswer::Unheard };
    let heard = async {
        stream.write_all(&hello).await?;
        stream.flush().await?;
        let mut head = [0; 7];
        stream.read_exact(&mut head).await?;
        Ok::<_, io::Error>(head)
    };
    match heard.await {
        // RFC 8446 5.1 and 6: a record's type, version and length; of an alert then its level and what it says.
        Ok([21, 3, _, _, _, _, what]) => HelloAnswer::Alert(alert_name(AlertDescription::from(what))),
        Ok([22, 3, ..]) => HelloAnswer::Hello,
        Ok(_) => HelloAnswer::NotTls,
        Err(error) => match failure::of_io(&error).0 {
            Failure::Reset => HelloAnswer::Reset,
            Failure::Closed => HelloAnswer::Closed,
            _ => HelloAnswer::Silence,
        },
    }
}

/// The bytes of a client's hello.
fn hello(name: Option<&str>) -> Option<Vec<u8>> {
    let recorder = Arc::new(Recorder::new(Arc::clone(verdict::provider())));
    let mut config = config(&recorder, &[b"http/1.1"]).ok()?;
    config.enable_sni = name.is_some();
    // Without the extension the name goes nowhere.
    let name = server_name(name.unwrap_or("nameless.invalid")).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carries(hello: &[u8], name: &str) -> bool {
        hello.windows(name.len()).any(|window| window == name.as_bytes())
    }

    #[test]
    fn a_hello_carries_the_name_or_none() {
        assert!(carries(&hello(Some("mdm.example.com")).unwrap(), "mdm.example.com"));
        assert!(!carries(&hello(None).unwrap(), "nameless"));
    }
}
