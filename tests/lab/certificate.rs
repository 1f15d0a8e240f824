//! A scenario's certificates, written to files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::scenario::{Certificate, Validity};

const DAY: Duration = Duration::from_secs(86_400);

type Issuers = BTreeMap<String, (CertifiedIssuer<'static, KeyPair>, Option<String>)>;

/// Writes `NAME.pem` (with the authorities between it and a root), `NAME.key` and, for authorities, nothing else.
///
/// # Errors
/// A certificate that names an authority which isn't there.
pub fn write(wanted: &BTreeMap<String, Certificate>, folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut issued = Issuers::new();
    while issued.len() < wanted.len() {
        let before = issued.len();
        for (name, certificate) in wanted {
            let ready = certificate.by.as_ref().is_none_or(|by| issued.contains_key(by));
            if ready && !issued.contains_key(name) {
                let made = make(name, certificate, &issued)?;
                issued.insert(name.clone(), (made, certificate.by.clone()));
            }
        }
        if issued.len() == before {
            return Err("certificates: `by` names one that is not there, or they go in a circle".to_owned());
        }
    }
    for (name, (certificate, _)) in &issued {
        let behind = match &wanted[name].chain {
            Some(chosen) => chosen.clone(),
            None => authorities(name, &issued),
        };
        let mut chain = certificate.pem();
        for name in &behind {
            let (presented, _) = issued.get(name).ok_or(format!("certificates: `chain` names `{name}`"))?;
            chain += &presented.pem();
        }
        let key = certificate.key().serialize_pem();
        let both = format!("{chain}{key}");
        for (end, text) in [("pem", chain), ("key", key), ("both", both)] {
            let path = folder.join(format!("{name}.{end}"));
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// The authorities between a certificate and its root.
fn authorities(name: &str, issued: &Issuers) -> Vec<String> {
    let mut names = Vec::new();
    let mut above = issued.get(name).and_then(|(_, by)| by.as_ref());
    while let Some((name, by)) = above.and_then(|name| issued.get_key_value(name)).map(|(name, (_, by))| (name, by)) {
        if by.is_some() {
            names.push(name.clone());
        }
        above = by.as_ref();
    }
    names
}

fn make(name: &str, wanted: &Certificate, issued: &Issuers) -> Result<CertifiedIssuer<'static, KeyPair>, String> {
    let said = |error: rcgen::Error| format!("certificate {name}: {error}");
    let mut params = CertificateParams::new(wanted.names.clone()).map_err(said)?;
    params.distinguished_name.push(DnType::CommonName, name);
    if wanted.names.is_empty() {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    }
    let now = SystemTime::now();
    let (from, to) = match wanted.valid {
        Validity::Now => (now - 30 * DAY, now + 60 * DAY),
        Validity::Past => (now - 90 * DAY, now - 30 * DAY),
        Validity::Future => (now + 30 * DAY, now + 90 * DAY),
    };
    (params.not_before, params.not_after) = (from.into(), to.into());
    let key = KeyPair::generate().map_err(said)?;
    let made = match wanted.by.as_ref().and_then(|by| issued.get(by)) {
        Some((authority, _)) => CertifiedIssuer::signed_by(params, key, authority),
        None => CertifiedIssuer::self_signed(params, key),
    };
    made.map_err(said)
}
