//! Devices and programs that open TLS on purpose, known by the name that they give the authority with which they sign.

/// Words of an issuer's name, and the product that uses them for certificates that it makes on the way.
const KNOWN: [(&str, &str); 26] = [
    ("avast web/mail shield", "Avast"),
    ("avg web/mail shield", "AVG"),
    ("bitdefender personal ca", "Bitdefender"),
    ("blue coat", "Blue Coat ProxySG"),
    ("charles proxy", "Charles"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("contentkeeper", "ContentKeeper"),
    ("do_not_trust_fiddlerroot", "Fiddler"),
    ("eset ssl filter", "ESET"),
    ("fireware web ca", "WatchGuard"),
    ("forcepoint", "Forcepoint"),
    ("fortigate", "FortiGate"),
    ("fortinet", "Fortinet"),
    ("iboss", "iboss"),
    ("kaspersky anti-virus personal root", "Kaspersky"),
    ("mcafee web gateway", "McAfee Web Gateway"),
    ("mitmproxy", "mitmproxy"),
    ("netskope", "Netskope"),
    // As Squid signs for servers whose own certificate it does not trust.
    ("not trusted by \"", "Squid"),
    ("portswigger", "Burp Suite"),
    ("securly", "Securly"),
    ("smoothwall", "Smoothwall"),
    ("sophos", "Sophos"),
    ("untangle", "Untangle"),
    ("websense", "Websense"),
    ("zscaler", "Zscaler"),
];

/// The product whose authority has this name.
#[must_use]
pub fn named(issuer: &str) -> Option<&'static str> {
    let issuer = issuer.to_lowercase();
    KNOWN.iter().find(|(words, _)| issuer.contains(words)).map(|(_, product)| *product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_known_by_their_authoritys_name_and_others_are_not() {
        assert_eq!(named("CN=mitmproxy, O=mitmproxy"), Some("mitmproxy"));
        assert_eq!(named("C=US, O=Zscaler Inc., CN=Zscaler Intermediate Root CA"), Some("Zscaler"));
        assert_eq!(named("C=US, O=Let's Encrypt, CN=R11"), None);
        assert_eq!(named("CN=Corp Issuing CA"), None);
    }
}
