//! Reads the secrets that a plan refers to, once, before the run: from the environment, a file, or the terminal.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use super::CliError;
use crate::model::ask::Route;
use crate::model::probe::Probe;
use crate::model::secret::{Account, SecretSource};
use crate::plan::{Plan, proxies};

/// The secrets behind every reference in the plan.
///
/// # Errors
/// A variable that is not set, a file that can't be read, or a question that nobody can answer.
pub(super) fn read(plan: &Plan) -> Result<HashMap<SecretSource, SecretString>, CliError> {
    of(plan.probes.iter().flat_map(|planned| {
        let ways = [Some(&planned.ask.route), planned.choice.other.as_ref()];
        let proxies = ways.into_iter().flatten().filter_map(|way| match way {
            Route::Proxy(proxy) => proxy.account.as_ref(),
            Route::Direct => None,
        });
        account(&planned.ask.probe).into_iter().chain(proxies)
    }))
}

/// The secrets of these accounts.
///
/// # Errors
/// As [`read`].
pub(super) fn of<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
) -> Result<HashMap<SecretSource, SecretString>, CliError> {
    let wanted: HashSet<&SecretSource> = accounts.into_iter().map(|account| &account.password).collect();
    wanted.into_iter().map(|source| Ok((source.clone(), secret(source)?))).collect()
}

fn account(probe: &Probe) -> Option<&Account> {
    match probe {
        Probe::Sql(sql) => sql.account.as_ref(),
        Probe::Smb(smb) => smb.account.as_ref(),
        _ => None,
    }
}

fn secret(source: &SecretSource) -> Result<SecretString, CliError> {
    match source {
        SecretSource::Env(name) => std::env::var(name).map(SecretString::from).map_err(|_| {
            CliError::usage(format!("a password is to come from the environment variable `{name}`, which is not set; set it, or name another source in the profile"))
        }),
        SecretSource::ProxyUrl(name) => {
            let url = std::env::var(name).ok();
            let password = url.and_then(|url| proxies::password(url.trim()));
            password.map(SecretString::from).ok_or_else(|| {
                CliError::usage(format!("the password of the proxy in the environment variable `{name}` can't be read"))
            })
        }
        SecretSource::File(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                CliError::usage(format!("a password is to come from the file `{path}`, which can't be read: {error}"))
            })?;
            Ok(SecretString::from(text.lines().next().unwrap_or_default().to_owned()))
        }
        SecretSource::Prompt(question) => {
            // The control channel and the flows may need the same one.
            if let Some(answer) = answers().get(question) {
                return Ok(answer.clone());
            }
            if !std::io::stdin().is_terminal() {
                let text = format!("`{question}` is to be asked for, but there is no terminal to ask on; use `{{ env: NAME }}` or `{{ file: PATH }}`");
                return Err(CliError::usage(text));
            }
            let answer = rpassword::prompt_password(format!("{question}: ")).map_err(|error| {
                CliError::usage(format!("`{question}` could not be asked: {error}"))
            })?;
            let answer = SecretString::from(answer);
            answers().insert(question.clone(), answer.clone());
            Ok(answer)
        }
    }
}

/// What was answered on the terminal, by question.
fn answers() -> MutexGuard<'static, HashMap<String, SecretString>> {
    static ANSWERS: LazyLock<Mutex<HashMap<String, SecretString>>> = LazyLock::new(Mutex::default);
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}
