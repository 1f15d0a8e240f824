//! rustls' typed errors to the closed list of failures, and alerts to their names in RFC 8446 section 6.

use std::io;

use rustls::{AlertDescription, Error, PeerMisbehaved};

use crate::model::evidence::Failure;

/// The typed TLS error inside an I/O error, where there is one.
pub(in crate::net) fn inside(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// The failure that a TLS error stands for. `is_tls`: what came began like TLS; `requested`: the server had asked for a
/// certificate of this side, which has none.
pub(in crate::net) fn of_tls(error: &Error, is_tls: bool, requested: bool) -> Failure {
    match error {
        Error::AlertReceived(alert) => of_alert(*alert, requested),
        Error::PeerIncompatible(_) => Failure::TlsVersion,
        Error::PeerMisbehaved(PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported) => Failure::TlsIntercepted,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => Failure::TlsUntrusted,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerSentOversizedRecord
        | Error::DecryptError
        | Error::PeerMisbehaved(_) => {
            if is_tls {
                Failure::Malformed
            } else {
                Failure::NotTls
            }
        }
        _ => Failure::Internal,
    }
}

fn of_alert(alert: AlertDescription, requested: bool) -> Failure {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => Failure::TlsClientCertificate,
        A::HandshakeFailure
        | A::NoCertificate
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateUnknown
        | A::AccessDenied
        | A::UnknownCA
            if requested =>
        {
            Failure::TlsClientCertificate
        }
        A::ProtocolVersion | A::InsufficientSecurity | A::HandshakeFailure | A::InappropriateFallback => {
            Failure::TlsVersion
        }
        _ => Failure::TlsAlert,
    }
}

/// The alert's name as RFC 8446 section 6 writes it, or its number.
pub(in crate::net) fn alert_name(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let name = match alert {
        A::CloseNotify => "close_notify",
        A::UnexpectedMessage => "unexpected_message",
        A::BadRecordMac => "bad_record_mac",
        A::RecordOverflow => "record_overflow",
        A::HandshakeFailure => "handshake_failure",
        A::NoCertificate => "no_certificate",
        A::BadCertificate => "bad_certificate",
        A::UnsupportedCertificate => "unsupported_certificate",
        A::CertificateRevoked => "certificate_revoked",
        A::CertificateExpired => "certificate_expired",
        A::CertificateUnknown => "certificate_unknown",
        A::IllegalParameter => "illegal_parameter",
        A::UnknownCA => "unknown_ca",
        A::AccessDenied => "access_denied",
        A::DecodeError => "decode_error",
        A::DecryptError => "decrypt_error",
        A::ProtocolVersion => "protocol_version",
        A::InsufficientSecurity => "insufficient_security",
        A::InternalError => "internal_error",
        A::InappropriateFallback => "inappropriate_fallback",
        A::UserCanceled => "user_canceled",
        A::NoRenegotiation => "no_renegotiation",
        A::MissingExtension => "missing_extension",
        A::UnsupportedExtension => "unsupported_extension",
        A::UnrecognisedName => "unrecognized_name",
        A::BadCertificateStatusResponse => "bad_certificate_status_response",
        A::UnknownPSKIdentity => "unknown_psk_identity",
        A::CertificateRequired => "certificate_required",
        A::NoApplicationProtocol => "no_application_protocol",
        other => return format!("alert {}", u8::from(other)),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use rustls::{InvalidMessage, PeerIncompatible};

    use super::*;

    #[test]
    fn a_refusal_after_a_request_for_a_certificate_is_about_the_certificate() {
        let alert = Error::AlertReceived(AlertDescription::HandshakeFailure);
        assert_eq!(of_tls(&alert, true, true), Failure::TlsClientCertificate);
        assert_eq!(of_tls(&alert, true, false), Failure::TlsVersion);
        let later = Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(of_tls(&later, true, false), Failure::TlsClientCertificate);
    }

    #[test]
    fn a_downgrade_is_an_interception() {
        let error = Error::PeerMisbehaved(PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported);
        assert_eq!(of_tls(&error, true, false), Failure::TlsIntercepted);
    }

    #[test]
    fn broken_tls_is_told_apart_from_no_tls() {
        let error = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(of_tls(&error, false, false), Failure::NotTls);
        assert_eq!(of_tls(&error, true, false), Failure::Malformed);
        let old = Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
        assert_eq!(of_tls(&old, true, false), Failure::TlsVersion);
    }

    #[test]
    fn alerts_without_a_name_keep_their_number() {
        assert_eq!(alert_name(AlertDescription::UnrecognisedName), "unrecognized_name");
        assert_eq!(alert_name(AlertDescription::from(200)), "alert 200");
    }
}
