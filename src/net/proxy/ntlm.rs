//! NTLM's three messages (MS-NLMP) by the crate `sspi`; the header around them is written by [`super::login`].

use secrecy::{ExposeSecret, SecretString};
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation, Ntlm,
    SecurityBuffer, Sspi, SspiImpl, Username,
};

use crate::model::evidence::Failure;
use crate::model::secret::Account;

/// One NTLM authentication, bound to one connection.
pub(super) struct Exchange {
    ntlm: Ntlm,
    credentials: Option<AuthIdentityBuffers>,
    authenticated: bool,
}

impl Exchange {
    /// # Errors
    /// The account's name can't be one of NTLM.
    pub(super) fn new(account: &Account, password: &SecretString) -> Result<Self, Failure> {
        let (domain, user) = match (&account.domain, account.user.split_once('\\')) {
            (Some(domain), _) => (Some(domain.as_str()), account.user.as_str()),
            (None, Some((domain, user))) => (Some(domain), user),
            (None, None) => (None, account.user.as_str()),
        };
        let username = Username::new(user, domain).map_err(|_| Failure::Internal)?;
        let identity = AuthIdentity { username, password: password.expose_secret().to_owned().into() };
        let mut ntlm = Ntlm::new();
        let acquired = ntlm
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&identity)
            .execute(&mut ntlm)
            .map_err(|_| Failure::Internal)?;
        Ok(Self { ntlm, credentials: acquired.credentials_handle, authenticated: false })
    }

    /// The first message.
    pub(super) fn negotiate(&mut self) -> Option<Vec<u8>> {
        self.step(None)
    }

    /// The last message, in answer to the proxy's challenge; none where the challenge is none, or is a second one.
    pub(super) fn authenticate(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        if std::mem::replace(&mut self.authenticated, true) {
            return None;
        }
        self.step(Some(&mended(challenge)?))
    }

    fn step(&mut self, challenge: Option<&[u8]>) -> Option<Vec<u8>> {
        let mut input = [SecurityBuffer::new(challenge.unwrap_or_default().to_vec(), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut context = self
            .ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(ClientRequestFlags::ALLOCATE_MEMORY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_output(&mut output);
        if challenge.is_some() {
            context = context.with_input(&mut input);
        }
        self.ntlm.initialize_security_context_impl(&mut context).ok()?.resolve_to_result().ok()?;
        if challenge.is_some() {
            self.ntlm.complete_auth_token(&mut output).ok()?;
        }
        output.into_iter().next().map(|buffer| buffer.buffer)
    }
}

/// A challenge (MS-NLMP 2.2.1.2) whose texts lie inside of it. Some proxies send short ones, or names at offsets far
/// outside; nothing of these is needed. A sound challenge stays as it is, since its bytes are signed later.
fn mended(challenge: &[u8]) -> Option<Vec<u8>> {
    /// Up to and with the version.
    const WHOLE: usize = 56;
    const TARGET_NAME: usize = 12;
    const TARGET_INFO: usize = 40;
    if challenge.len() < 32 || !challenge.starts_with(b"NTLMSSP\0\x02\0\0\0") {
        return None;
    }
    let mut message = challenge.to_vec();
    if message.len() < WHOLE {
        message.resize(WHOLE, 0);
    }
    for at in [TARGET_NAME, TARGET_INFO] {
        let (length, offset) = (message.get(at..at + 2)?, message.get(at + 4..at + 8)?);
        let length = usize::from(u16::from_le_bytes(length.try_into().ok()?));
        let offset = usize::try_from(u32::from_le_bytes(offset.try_into().ok()?)).ok()?;
        if offset.checked_add(length).is_none_or(|end| end > challenge.len()) {
            message.get_mut(at..at + 8)?.fill(0);
        }
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::model::secret::SecretSource;

    fn exchange(user: &str, domain: Option<&str>) -> Exchange {
        let password = SecretSource::Env("P".to_owned());
        let account = Account { user: user.to_owned(), domain: domain.map(str::to_owned), password };
        let mut exchange = Exchange::new(&account, &SecretString::from("secret")).expect("an exchange");
        let first = exchange.negotiate().expect("a first message");
        assert!(first.starts_with(b"NTLMSSP\0\x01\0\0\0"));
        exchange
    }

    /// Squid's `ntlm_fake_auth`: a name at an offset far outside of the message, and seven bytes short.
    const FAKE: &str = "TlRMTVNTUAACAAAACQAJAK6qqqqXggjg2Od+8Ghnpm0AAAAAAAA6AFdPUktHUk9VUA==";

    #[test]
    fn the_last_message_names_user_and_domain_however_the_account_gives_them() {
        let challenge = STANDARD.decode(FAKE).expect("base64");
        for (user, domain) in [("CORP\\user", None), ("user", Some("CORP"))] {
            let last = exchange(user, domain).authenticate(&challenge).expect("a last message");
            assert!(last.starts_with(b"NTLMSSP\0\x03\0\0\0"));
            for name in ["user", "CORP"] {
                let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
                assert!(last.windows(wide.len()).any(|window| window == wide), "{name}");
            }
        }
    }

    #[test]
    fn a_second_challenge_is_not_answered() {
        let challenge = STANDARD.decode(FAKE).expect("base64");
        let mut exchange = exchange("user", None);
        assert!(exchange.authenticate(&challenge).is_some());
        assert!(exchange.authenticate(&challenge).is_none());
    }

    #[test]
    fn a_sound_challenge_is_not_touched() {
        let mut sound = b"NTLMSSP\0\x02\0\0\0\x04\0\x04\0\x38\0\0\0".to_vec();
        sound.resize(40, 7);
        sound.extend([0, 0, 0, 0, 60, 0, 0, 0]);
        sound.resize(56, 0);
        sound.extend(b"N\0T\0");
        assert_eq!(mended(&sound), Some(sound));
    }

    proptest! {
        #[test]
        fn no_challenge_makes_it_panic(rest in proptest::collection::vec(any::<u8>(), 0..120)) {
            let challenge = [b"NTLMSSP\0\x02\0\0\0".as_slice(), &rest].concat();
            let _ = exchange("user", None).authenticate(&challenge);
        }
    }
}
