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
        let message = self.step(Some(challenge))?;
        Some(message)
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
