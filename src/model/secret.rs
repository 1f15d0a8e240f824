//! Where a secret comes from. The value itself is never in a profile, an argument or a record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecretSource {
    /// The name of an environment variable.
    Env(String),
    /// A file whose first line is the secret.
    File(String),
    /// Asked for on the terminal before the run; the text is the question.
    Prompt(String),
    /// The part between `:` and `@` of the proxy's URL in this environment variable.
    #[serde(skip)]
    ProxyUrl(String),
}

/// A user and where the password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub domain: Option<String>,
    pub password: SecretSource,
}
