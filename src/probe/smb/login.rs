//! Mapping a share with an account, by the `smb` crate: session, tree connect, listing of the root.
//!
//! The crate runs on a runtime of its own, of one thread: its listing loses a wake-up where two threads share the work, its
//! background tasks end with that runtime, and a panic in it ends this probe only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::{Either, select};
use secrecy::{ExposeSecret, SecretString};
use smb::connection::ConnectionConfig;
use smb::{
    Connection, Dialect, DirAccessMask, Directory, FileNamesInformation, Guid, Resource, Session, Tree, UncPath,
};
use sspi::{AuthIdentity, Username};
use tokio::sync::oneshot;

use super::line::{Line, Watch};
use crate::model::ask::Ask;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::secret::Account;
use crate::net::trace::{OpenStep, Trace};
use crate::net::{Net, Stopped, tcp};
use crate::wire::smb::{self as wire, status};

/// Entries of a share's root that are counted at most.
const MOST_ENTRIES: u64 = 10_000;

/// Everything that mapping needs.
struct Climb {
    share: String,
    account: Account,
    password: SecretString,
    ask: Ask,
    address: SocketAddr,
    trace: Trace,
}

/// Why a stage was not reached.
enum Fallen {
    Broken(io::Error),
    Refused(smb::Error),
}

pub(super) async fn map(
    share: &str,
    account: &Account,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    let Some(password) = net.secret(&account.password).cloned() else {
        return Err(trace.begin(StepKind::Request, Some(address.to_string())).fail(Failure::NeedsCredentials));
    };
    let climb = Climb {
        share: share.to_owned(),
        account: account.clone(),
        password,
        ask: ask.clone(),
        address,
        trace: trace.clone(),
    };
    // Dropped with this future, it ends the thread's work as well.
    let (_wanted, unwanted) = oneshot::channel::<()>();
    match tokio::task::spawn_blocking(move || climb.on_own_runtime(unwanted)).await {
        Ok(result) => result,
        Err(_) => Err(trace.begin(StepKind::Reply, Some(address.to_string())).fail(Failure::Internal)),
    }
}

impl Climb {
    fn on_own_runtime(self, unwanted: oneshot::Receiver<()>) -> Result<(), Stopped> {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return Err(self.begin().fail_io(&error)),
        };
        runtime.block_on(async {
            match select(Box::pin(self.climb()), unwanted).await {
                Either::Left((result, _)) => result,
                Either::Right(_) => Err(Stopped),
            }
        })
    }

    async fn climb(&self) -> Result<(), Stopped> {
        let identity = self.identity()?;
        let (connection, watch) = self.negotiate().await?;
        let session = self.log_in(&connection, &watch, identity).await?;
        let tree = self.connect_tree(&session, &watch).await?;
        self.list(&tree, &watch).await
    }

    fn identity(&self) -> Result<AuthIdentity, Stopped> {
        let Account { user, domain, .. } = &self.account;
        let username = match domain {
            Some(domain) => Username::new(user, Some(domain)),
            None => Username::parse(user),
        };
        match username {
            Ok(username) => Ok(AuthIdentity { username, password: self.password.expose_secret().to_owned().into() }),
            Err(error) => {
                self.trace.fact(Fact::Detail, error.to_string());
                Err(self.begin().fail(Failure::Internal))
            }
        }
    }

    /// Negotiates a second connection. Some servers refuse what the crate says in 3.1.1 only: those get another try without.
    async fn negotiate(&self) -> Result<(Connection, Arc<Watch>), Stopped> {
        let (step, fallen) = match self.negotiate_up_to(None).await? {
            Ok(negotiated) => return Ok(negotiated),
            Err(failed) => failed,
        };
        match self.negotiate_up_to(Some(Dialect::Smb0302)).await? {
            Ok(negotiated) => {
                step.pass_with("refused with 3.1.1; 3.0.2 is tried next");
                Ok(negotiated)
            }
            Err((second, _)) => {
                second.pass_with("refused with 3.0.2 as well");
                Err(self.fallen(step, fallen))
            }
        }
    }

    async fn negotiate_up_to(
        &self,
        newest: Option<Dialect>,
    ) -> Result<Result<(Connection, Arc<Watch>), (OpenStep, Fallen)>, Stopped> {
        let stream = tcp::connect(self.address, &self.ask, &self.trace).await?;
        let (line, watch) = Line::new(stream, self.address);
        let step = self.begin();
        let guid = Guid::from(wire::Guid::carrying(&self.ask.token).0);
        let config = ConnectionConfig {
            // The runner's deadline is the only one.
            timeout: Some(std::time::Duration::ZERO),
            max_dialect: newest,
            client_name: Some("bothways".to_owned()),
            disable_notifications: true,
            smb2_only_negotiate: true,
            ..ConnectionConfig::default()
        };
        let negotiating = Connection::from_transport(Box::new(line), &self.ask.host, guid, config);
        match unless_broken(negotiating, &watch).await {
            Ok(connection) => {
                step.pass_with("NEGOTIATE on a second connection");
                Ok(Ok((connection, watch)))
            }
            Err(fallen) => Ok(Err((step, fallen))),
        }
    }

    async fn log_in(&self, connection: &Connection, watch: &Watch, identity: AuthIdentity) -> Result<Session, Stopped> {
        let note = format!("SESSION_SETUP as {}", identity.username.inner());
        let step = self.begin();
        let outcome = unless_broken(connection.authenticate(identity), watch).await;
        self.trace.fact(Fact::Guest, watch.guest());
        match outcome {
            // The crate says no word of its own of this; no guest's session is good enough for a share that is to be mapped.
            _ if watch.guest() => Err(step.fail_with(Failure::Unexpected, format!("{note}: taken for a guest"))),
            Ok(session) => Ok(self.reached("session", session, step, note)),
            Err(fallen) => Err(self.fallen(step, fallen)),
        }
    }

    async fn connect_tree(&self, session: &Session, watch: &Watch) -> Result<Tree, Stopped> {
        let (share, _) = self.share_and_folder();
        let host = wire::session::unc_host(&self.ask.host);
        let path = UncPath::new(&host).and_then(|server| server.with_share(share));
        let connecting = async { session.tree_connect(&path?).await };
        self.stage("tree", format!("TREE_CONNECT \\\\{host}\\{share}"), connecting, watch).await
    }

    async fn list(&self, tree: &Tree, watch: &Watch) -> Result<(), Stopped> {
        if tree.as_ipc_tree().is_ok() {
            return Ok(());
        }
        let (_, folder) = self.share_and_folder();
        let entries = self.stage("list", "listing".to_owned(), count(tree, &folder), watch).await?;
        self.trace.fact(Fact::Entries, entries);
        Ok(())
    }

    /// The share's own name, and the folder in it where the profile names one after it.
    fn share_and_folder(&self) -> (&str, String) {
        let path = self.share.trim_matches(['\\', '/']);
        let (share, folder) = path.split_once(['\\', '/']).unwrap_or((path, ""));
        (share, folder.replace('/', "\\"))
    }

    /// One stage as one step; passed, it is how far it came.
    async fn stage<T>(
        &self,
        name: &str,
        note: String,
        work: impl Future<Output = smb::Result<T>>,
        watch: &Watch,
    ) -> Result<T, Stopped> {
        let step = self.begin();
        match unless_broken(work, watch).await {
            Ok(value) => Ok(self.reached(name, value, step, note)),
            Err(fallen) => Err(self.fallen(step, fallen)),
        }
    }

    fn reached<T>(&self, stage: &str, value: T, step: OpenStep, note: String) -> T {
        self.trace.fact(Fact::Stage, stage);
        step.pass_with(note);
        value
    }

    fn begin(&self) -> OpenStep {
        self.trace.begin(StepKind::Reply, Some(self.address.to_string()))
    }

    fn fallen(&self, step: OpenStep, fallen: Fallen) -> Stopped {
        let error = match fallen {
            Fallen::Broken(error) => return step.fail_io(&error),
            Fallen::Refused(error) => error,
        };
        if let Some(status) = status_of(&error) {
            self.trace.fact(Fact::NtStatus, status::number(status));
            return step.fail_with(Failure::Unexpected, status::describe(status));
        }
        self.trace.fact(Fact::Detail, error.to_string());
        step.fail(failure_of(&error))
    }
}

/// Waits for `work`, but not beyond the end of the connection; what arrived before that end counts first.
async fn unless_broken<T>(work: impl Future<Output = smb::Result<T>>, watch: &Watch) -> Result<T, Fallen> {
    match select(Box::pin(work), Box::pin(watch.ended())).await {
        Either::Left((Ok(value), _)) => Ok(value),
        Either::Left((Err(error), _)) if status_of(&error).is_some() => Err(Fallen::Refused(error)),
        Either::Left((Err(error), _)) => Err(watch.error().map_or(Fallen::Refused(error), Fallen::Broken)),
        Either::Right((error, _)) => Err(Fallen::Broken(error)),
    }
}

/// The number of entries in a folder of the share, without itself and its parent.
async fn count(tree: &Tree, folder: &str) -> smb::Result<u64> {
    use futures_util::StreamExt;
    let access = DirAccessMask::new().with_list_directory(true).with_read_attributes(true);
    let Resource::Directory(directory) = tree.open_existing(folder, access.into()).await? else {
        return Err(smb::Error::InvalidState("the share's root is not a folder".to_owned()));
    };
    let directory = Arc::new(directory);
    let mut entries = Directory::query::<FileNamesInformation>(&directory, "*").await?;
    let mut counted = 0;
    while let Some(entry) = entries.next().await {
        let name = entry?.file_name.to_string();
        counted += u64::from(name != "." && name != "..");
        if counted == MOST_ENTRIES {
            break;
        }
    }
    Ok(counted)
}

fn status_of(error: &smb::Error) -> Option<u32> {
    match error {
        smb::Error::UnexpectedMessageStatus(status) | smb::Error::ReceivedErrorMessage(status, _) => Some(*status),
        _ => None,
    }
}

/// What the crate's own complaints say of the far side; what they leave open is this side's trouble.
fn failure_of(error: &smb::Error) -> Failure {
    match error {
        smb::Error::InvalidMessage(_)
        | smb::Error::BinRWError(_)
        | smb::Error::SmbMessageError(_)
        | smb::Error::TranformFailed(_)
        | smb::Error::SignatureVerificationFailed
        | smb::Error::UnexpectedMessageCommand(_)
        | smb::Error::UnexpectedMessageId(..)
        | smb::Error::SspiError(_)
        | smb::Error::NegotiationError(_) => Failure::Malformed,
        smb::Error::MissingPermissions(_) => Failure::Unexpected,
        smb::Error::IoError(error) => crate::net::failure::of_io(error).0,
        _ => Failure::Internal,
    }
}
