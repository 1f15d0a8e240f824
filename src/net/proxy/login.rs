//! What to say to a proxy that wants to know who asks: basic (RFC 7617), digest (RFC 7616) and NTLM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use digest_auth::{AuthContext, HttpMethod, Qop, WwwAuthenticateHeader};
use hyper::Method;
use hyper::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::super::Net;
use super::challenge::Challenge;
use crate::model::ask::{Proxy, ProxyAuth};
use crate::model::evidence::Failure;
use crate::model::secret::Account;

/// An authentication under way on one connection.
pub(super) enum Login {
    /// Nothing is known to say.
    None,
    Basic(HeaderValue),
    Digest {
        user: String,
        password: SecretString,
        answered: bool,
    },
    #[cfg(feature = "smb")]
    Ntlm(Box<super::ntlm::Exchange>),
}

impl Login {
    /// # Errors
    /// The account's password is not there, or this build can't speak the scheme.
    pub(super) fn begin(proxy: &Proxy, net: &Net) -> Result<Self, Failure> {
        let Some(account) = proxy.account.as_ref().filter(|_| proxy.auth != ProxyAuth::None) else {
            return Ok(Self::None);
        };
        let password = net.secret(&account.password).ok_or(Failure::NeedsCredentials)?;
        match proxy.auth {
            ProxyAuth::None => Ok(Self::None),
            ProxyAuth::Basic => Ok(Self::Basic(basic(account, password)?)),
            ProxyAuth::Digest => {
                Ok(Self::Digest { user: full_name(account), password: password.clone(), answered: false })
            }
            #[cfg(feature = "smb")]
            ProxyAuth::Ntlm => Ok(Self::Ntlm(Box::new(super::ntlm::Exchange::new(account, password)?))),
            #[cfg(not(feature = "smb"))]
            ProxyAuth::Ntlm => Err(Failure::NotBuilt),
        }
    }

    /// What the first request already carries.
    pub(super) fn opening(&mut self) -> Option<HeaderValue> {
        match self {
            Self::None | Self::Digest { .. } => None,
            Self::Basic(header) => Some(header.clone()),
            #[cfg(feature = "smb")]
            Self::Ntlm(exchange) => sensitive(format!("NTLM {}", STANDARD.encode(exchange.negotiate()?))),
        }
    }

    /// What to say to a 407 for a request of this method and target; nothing where all was said or none of it fits.
    pub(super) fn answer(&mut self, challenges: &[Challenge], method: &Method, target: &str) -> Option<HeaderValue> {
        match self {
            Self::None | Self::Basic(_) => None,
            Self::Digest { user, password, answered } => {
                let mut offers = challenges.iter().filter(|challenge| challenge.scheme == "digest");
                let header = offers.find_map(|offer| digest(&offer.rest, user, password, *answered, method, target))?;
                *answered = true;
                Some(header)
            }
            #[cfg(feature = "smb")]
            Self::Ntlm(exchange) => {
                let offer = challenges.iter().find(|challenge| challenge.scheme == "ntlm")?;
                let challenge = STANDARD.decode(&offer.rest).ok()?;
                sensitive(format!("NTLM {}", STANDARD.encode(exchange.authenticate(&challenge)?)))
            }
        }
    }

    /// Whether a header of this login carries what proves the account (NTLM's first message does not).
    pub(super) fn proves(&self, opening: bool) -> bool {
        match self {
            Self::None => false,
            Self::Basic(_) => true,
            Self::Digest { .. } => !opening,
            #[cfg(feature = "smb")]
            Self::Ntlm(_) => !opening,
        }
    }

    /// Whether all of it must happen on one connection.
    pub(super) fn bound_to_connection(&self) -> bool {
        match self {
            Self::None | Self::Basic(_) | Self::Digest { .. } => false,
            #[cfg(feature = "smb")]
            Self::Ntlm(_) => true,
        }
    }

    /// Whether the answer to a first request is needed before the real one can be sent.
    pub(super) fn needs_challenge(&self) -> bool {
        !matches!(self, Self::None | Self::Basic(_))
    }
}

/// `DOMAIN\user` where there is a domain.
fn full_name(account: &Account) -> String {
    match &account.domain {
        Some(domain) => format!("{domain}\\{}", account.user),
        None => account.user.clone(),
    }
}

fn basic(account: &Account, password: &SecretString) -> Result<HeaderValue, Failure> {
    let pair = format!("{}:{}", full_name(account), password.expose_secret());
    sensitive(format!("Basic {}", STANDARD.encode(pair))).ok_or(Failure::Internal)
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The answer to one digest challenge; none where it can't be met, or was met before and is not merely stale.
fn digest(
    challenge: &str,
    user: &str,
    password: &SecretString,
    answered: bool,
    method: &Method,
    target: &str,
) -> Option<HeaderValue> {
    let mut prompt = WwwAuthenticateHeader::parse(challenge).ok()?;
    if answered && !prompt.stale {
        return None;
    }
    if let Some(offered) = prompt.qop.take() {
        // The library prefers auth-int, which needs the whole body beforehand.
        prompt.qop = Some(offered.into_iter().filter(|qop| *qop == Qop::AUTH).collect());
    }
    let method = HttpMethod::from(method.as_str());
    let context = AuthContext::new_with_method(user, password.expose_secret(), target, None::<&[u8]>, method);
    sensitive(prompt.respond(&context).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(challenge: &str, answered: bool) -> Option<String> {
        let password = SecretString::from("secret");
        let header = digest(challenge, "user", &password, answered, &Method::CONNECT, "host:443")?;
        Some(header.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn digest_is_answered_with_md5_and_with_sha_256() {
        let md5 = answer(r#"realm="r", nonce="n", qop="auth,auth-int""#, false).expect("an answer");
        assert!(md5.starts_with("Digest ") && md5.contains("qop=auth,") && md5.contains(r#"uri="host:443""#), "{md5}");
        let sha = answer(r#"realm="r", nonce="n", qop="auth", algorithm=SHA-256"#, false).expect("an answer");
        assert!(sha.contains("algorithm=SHA-256"), "{sha}");
        assert!(!sha.contains("secret"));
    }

    #[test]
    fn a_digest_is_answered_again_only_where_it_is_stale() {
        assert_eq!(answer(r#"realm="r", nonce="n", qop="auth""#, true), None);
        assert!(answer(r#"realm="r", nonce="n", qop="auth", stale=true"#, true).is_some());
    }

    #[test]
    fn a_digest_that_only_offers_integrity_is_not_answered() {
        assert_eq!(answer(r#"realm="r", nonce="n", qop="auth-int""#, false), None);
    }

    #[test]
    fn a_broken_digest_is_not_answered() {
        for broken in ["", "realm", r#"realm="r"#, r#"realm="r", nonce="n", algorithm=ROT13"#] {
            assert_eq!(answer(broken, false), None, "{broken}");
        }
    }
}
