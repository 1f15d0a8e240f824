//! The login and the query, on a connection of their own: a whole driver does them, so that they go as a client's go.

#[cfg(feature = "sql")]
pub(super) use driver::run;
#[cfg(not(feature = "sql"))]
pub(super) use not_built::run;

#[cfg(feature = "sql")]
mod driver {
    use std::io;

    use futures_util::TryStreamExt;
    use secrecy::ExposeSecret;
    use tiberius::{AuthMethod, Client, Config, EncryptionLevel, error::Error};
    use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

    use crate::model::ask::Trust;
    use crate::model::evidence::{Failure, StepKind};
    use crate::model::fact::Fact;
    use crate::model::probe::SqlEncryption;
    use crate::model::secret::Account;
    use crate::net::trace::{OpenStep, Trace};
    use crate::net::{Net, Stopped, tcp};
    use crate::probe::sql::{Agreed, Asking};
    use crate::wire::tds::prelogin::Encryption;

    /// Rows and headings of the query's answer that are read before it counts as answered.
    const ENOUGH: usize = 100;

    /// Logs in and asks the query.
    pub(in crate::probe::sql) async fn run(
        asking: &Asking<'_>,
        agreed: Agreed,
        account: &Account,
        net: &Net,
        trace: &Trace,
    ) -> Result<(), Stopped> {
        // A Windows account can't be used from here, and a password never travels readable; the judge says either.
        if account.domain.is_some() || agreed == Agreed::Inside(Encryption::NotSupported) {
            return Ok(());
        }
        let at = Some(asking.address.to_string());
        let Some(password) = net.secret(&account.password) else {
            return Err(trace.begin(StepKind::Request, at).fail(Failure::NeedsCredentials));
        };
        let mut config = config(asking, agreed);
        config.authentication(AuthMethod::sql_server(&account.user, password.expose_secret()));

        let stream = tcp::connect(asking.address, asking.ask, trace).await?;
        let step = trace.begin(StepKind::Request, at.clone());
        let mut client = match Box::pin(Client::connect(config, stream.compat_write())).await {
            Ok(client) => client,
            Err(error) => {
                if let Some(number) = error.code() {
                    trace.fact(Fact::LoggedIn, false);
                    trace.fact(Fact::LoginError, number);
                }
                return Err(refused(step, &error, trace));
            }
        };
        step.pass_with("logged in");
        trace.fact(Fact::LoggedIn, true);

        let step = trace.begin(StepKind::Reply, at);
        let query = asking.settings.query.as_deref().unwrap_or("SELECT 1");
        match Box::pin(ask(&mut client, query)).await {
            Ok(()) => {
                step.pass_with("the query was answered");
                trace.fact(Fact::QueryAnswered, true);
                Ok(())
            }
            Err(error) => {
                trace.fact(Fact::QueryAnswered, false);
                Err(refused(step, &error, trace))
            }
        }
    }

    async fn ask(client: &mut Client<Compat<tcp::Connection>>, query: &str) -> Result<(), Error> {
        let mut items = client.simple_query(query).await?;
        for _ in 0..ENOUGH {
            if items.try_next().await?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Ends a step with the driver's reason; its words become a fact for people.
    fn refused(step: OpenStep, error: &Error, trace: &Trace) -> Stopped {
        match error {
            Error::Io { kind, .. } => step.fail_io(&io::Error::from(*kind)),
            Error::Server(token) => {
                trace.fact(Fact::Detail, token.message().chars().take(300).collect::<String>());
                step.fail_with(Failure::Unexpected, format!("error {}, severity {}", token.code(), token.class()))
            }
            other => {
                trace.fact(Fact::Detail, other.to_string().chars().take(300).collect::<String>());
                step.fail(Failure::Unexpected)
            }
        }
    }

    fn config(asking: &Asking<'_>, agreed: Agreed) -> Config {
        let mut config = Config::new();
        config.host(&asking.ask.host);
        config.port(asking.ask.port);
        config.application_name("bothways");
        config.hostname_in_certificate(asking.name());
        // The runner's deadline holds; a driver's own would only hide where it hung.
        config.handshake_timeout(None);
        config.command_timeout(None);
        if let Some(database) = &asking.settings.database {
            config.database(database);
        }
        config.encryption(match (agreed, asking.wanted) {
            (Agreed::Strict, _) => EncryptionLevel::Strict,
            (_, SqlEncryption::Required) => EncryptionLevel::Required,
            _ => EncryptionLevel::Off,
        });
        let expectation = asking.expectation();
        match (&expectation.ca, expectation.trust) {
            // A fingerprint has been checked on the first connection, where it can be.
            _ if expectation.trust == Trust::Anyone || expectation.fingerprint.is_some() => config.trust_cert(),
            (Some(file), _) => config.trust_cert_ca(file.display()),
            (None, _) => {}
        }
        config
    }
}

#[cfg(not(feature = "sql"))]
mod not_built {
    use crate::model::evidence::{Failure, StepKind};
    use crate::model::fact::Fact;
    use crate::model::secret::Account;
    use crate::net::trace::Trace;
    use crate::net::{Net, Stopped};
    use crate::probe::sql::{Agreed, Asking};

    /// This build has no driver.
    pub(in crate::probe::sql) async fn run(
        asking: &Asking<'_>,
        _: Agreed,
        _: &Account,
        _: &Net,
        trace: &Trace,
    ) -> Result<(), Stopped> {
        trace.fact(Fact::MissingFeature, "sql");
        Err(trace.begin(StepKind::Request, Some(asking.address.to_string())).fail(Failure::NotBuilt))
    }
}
