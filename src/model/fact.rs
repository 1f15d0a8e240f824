//! The published list of facts: what probes may record and judges may read, by protocol.

macro_rules! facts {
    ($($variant:ident = $word:literal : $about:literal),+ $(,)?) => {
        /// A named value that a probe publishes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fact { $(#[doc = $about] $variant,)+ }

        impl Fact {
            pub const ALL: &'static [Fact] = &[$(Fact::$variant,)+];

            /// The name in the record.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Fact::$variant => $word,)+ }
            }

            /// What it says, with its unit.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Fact::$variant => $about,)+ }
            }
        }
    };
}

facts! {
    Found = "found": "what was found of a flow that must be blocked: status, code and confidence",
    Prerequisite = "prerequisite": "the check whose answer this one waited for",
    Address = "address": "the address that answered (ip:port)",
    LocalAddress = "local-address": "the address on this machine that was used (ip:port)",
    ConnectRepeats = "connect-repeats": "how often a connection request was sent again before it was answered",
    SourceAddress = "source-address": "the address from which this machine speaks to the target",
    SegmentRepeats = "segment-repeats": "how many TCP segments this system had to send again, connection requests included",
    ConnectsTried = "connects-tried": "how many more connections were tried, since something had to be sent again",
    ConnectsRepeated = "connects-repeated": "how many of them were not opened by their first request either",
    SentBytes = "sent-bytes": "bytes sent on the connection, as the transport saw them",
    ReceivedBytes = "received-bytes": "bytes received on the connection, as the transport saw them",
    FirstByteMs = "first-byte-ms": "milliseconds from the request to the first byte of the answer",
    TotalMs = "total-ms": "milliseconds from the request to the last byte of the answer",
    Unacknowledged = "unacknowledged": "of a conversation that failed: bytes sent that the far side's system had not acknowledged, where this system tells",
    QuietMs = "quiet-ms": "of a conversation that failed: milliseconds in which no more bytes were received or acknowledged",
    Segment = "segment": "of a conversation that failed: the largest TCP segment that this side was ready to take, in bytes, where this system tells",
    LargestPacket = "largest-packet": "the largest packet with which the conversation works, in bytes with all headers, where larger ones are lost",
    LargeHops = "large-hops": "devices on the way there that answered a packet of full size whose time to live ended there, nearest first: ttl and address",
    LargeAnsweredAt = "large-answered-at": "what answered a packet of full size in another way than that its time was up",
    FullPackets = "full-packets": "whether an exchange of full-sized packets went through as well, where it was tried after a small one",
    LostPacket = "lost-packet": "the smallest packet that was seen to be lost, in bytes with all headers",
    SystemAddresses = "system-addresses": "addresses that the operating system resolves the name to",
    DnsAddresses = "dns-addresses": "addresses that the name servers give for the name",
    DnsFailure = "dns-failure": "why the name servers gave no address, where the system's resolver did",
    SystemFailure = "system-failure": "why the operating system gave no address, where the name servers' answer was used instead",
    SystemTook = "system-took": "seconds in which the operating system resolved the name, where those are many",
    NameServers = "name-servers": "what each name server that answered says of the name, where that matters",
    NameServersSilent = "name-servers-silent": "how many name servers had not answered",
    GivenToAnyName = "given-to-any-name": "addresses of the name that the name servers give to a name that nobody has as well",
    CompletedName = "completed-name": "the full name that a search suffix made of the name asked for, which by itself does not exist",
    OtherOpens = "other-opens": "addresses that the other way of resolving gives, and that accept connections where the ones used do not",
    Banner = "banner": "the first bytes that came back, made printable",
    Token = "token": "the token that this probe carried",
    Echoed = "echoed": "whether the far side repeated this probe's token, as only a responder does",
    SeenAs = "seen-as": "the address from which the far side saw this probe come, where it is not this machine's own (ip:port)",
    HeadersAdded = "headers-added": "headers that the far side received and this probe did not send",
    HeadersRemoved = "headers-removed": "headers that this probe sent and the far side did not receive",
    ReceivedThere = "received-there": "bytes of this probe's request that the far side received",
    MissingFeature = "missing-feature": "the cargo feature that this build lacks",
    Detail = "detail": "what a library said of a failure, for people",

    Proxy = "proxy": "the proxy that was used (host:port)",
    ProxyStatus = "proxy-status": "the status with which the proxy answered",
    ProxySchemes = "proxy-schemes": "authentication schemes that the proxy offers",
    ProxyAuth = "proxy-auth": "the authentication scheme used towards the proxy",
    ProxySource = "proxy-source": "which setting decided between the proxy and the direct way: profile, environment or system",
    ProxySources = "proxy-sources": "every setting of this machine that names a proxy or an exception, the one that is asked first at the top",
    NoProxy = "no-proxy": "what the exceptions from the proxy (`NO_PROXY`, or the system's list) say of the target",
    ProxyError = "proxy-error": "what a proxy says of its own failure (X-Squid-Error, Proxy-Status)",
    ProxyItself = "proxy-itself": "the status with which the proxy answers a question about itself, or no answer",
    ProxyItselfServer = "proxy-itself-server": "the Server header of that answer",
    ProxyItselfError = "proxy-itself-error": "what the proxy says of its own failure in that answer",
    ProxyPlain = "proxy-plain": "what a plain request for the same target through the proxy came to, as a code",
    ProxyUsualTunnel = "proxy-usual-tunnel": "the status with which the proxy answered CONNECT to port 443 of the target",
    OtherWay = "other-way": "the way that was tried after this one failed: direct, or the proxy that a setting names (host:port)",
    OtherWayWorks = "other-way-works": "whether the target answered by the other way",
    OtherWayCode = "other-way-code": "what the other way came to, as a code",
    OtherWayStatus = "other-way-status": "the HTTP status that came by the other way",
    Via = "via": "the Via header of an answer",

    TlsVersion = "tls-version": "the protocol version agreed",
    TlsCipher = "tls-cipher": "the cipher suite agreed",
    Alpn = "alpn": "the application protocol agreed in the TLS handshake",
    TlsChain = "tls-chain": "the certificates presented, leaf first: subject, issuer, names, validity, fingerprint",
    TlsFault = "tls-fault": "what is wrong with the certificates, the decisive fault first: place in the chain (0 is the leaf; behind the last is the trusted authority) and what",
    TlsAuthority = "tls-authority": "the trusted authority that is out of its dates, where the server did not present it: as in tls-chain",
    TlsPlatform = "tls-platform": "what this platform's own TLS library and trust store said: trusted, or why not",
    TlsTrust = "tls-trust": "who vouched for the certificate: platform, platform-library, ca, fingerprint, or nobody where it is not judged",
    TlsClientCertificate = "tls-client-certificate": "whether the server asked for a certificate of this side",
    TlsAlert = "tls-alert": "the alert with which the far side ended the handshake",
    TlsHellos = "tls-hellos": "what came back when a hello that failed was said again: with the same server name, without one, and with another",
    PlainAnswer = "plain-answer": "the first line that came back to plain HTTP on a port where the TLS hello had failed",
    HostTime = "host-time": "the time that the target's HTTP answers give, where its certificate is out of its dates",
    ClockAhead = "clock-ahead": "seconds that this machine's clock is ahead of the target's; negative where it is behind",
    TlsFingerprint = "tls-fingerprint": "SHA-256 of the leaf certificate, in hexadecimal",
    TlsDaysLeft = "tls-days-left": "days until the leaf certificate expires; negative after that",

    Status = "status": "the HTTP status",
    StatusExpected = "status-expected": "whether the status is one that the check accepts",
    Location = "location": "where a redirect points to",
    SmallBodyStatus = "small-body-status": "the HTTP status that came to the same request with a small body, after it failed with a large one; or no answer",
    GetStatus = "get-status": "the HTTP status that came to a GET of the same page, after another method failed; or no answer",
    LocationIsTarget = "location-is-target": "whether the host that a redirect points to has an address of the target",
    Server = "server": "the Server header",
    NowhereAnswer = "nowhere-answer": "what the same request came to for a host, or at an address, that can't exist: the same page, another, or none",
    OtherPageAnswer = "other-page-answer": "what a request for a page that can't exist came to: the same page, another, or none",
    AnsweredFromBehind = "answered-from-behind": "whether the answer came from farther away than the one who accepted the connection",
    BodyBytes = "body-bytes": "bytes of the answer's body",
    RequestBodyBytes = "request-body-bytes": "bytes of the request's body that were sent",
    RequestBodyWanted = "request-body-wanted": "bytes of the request's body that were to be sent",
    PageIntact = "page-intact": "whether the responder's page came as it was sent",
    BodyMatches = "body-matches": "whether the body is what the check expects",
    UpgradeAnswer = "upgrade-answer": "whether the answer carried Upgrade and Connection headers",
    AcceptKey = "accept-key": "right, wrong or missing: the Sec-WebSocket-Accept of the answer",
    Pong = "pong": "whether a ping was answered",
    HeldMs = "held-ms": "how long the connection stayed idle and then still worked, in milliseconds",
    DiedAfterMs = "died-after-ms": "when an idle connection was found dead, in milliseconds",
    IdleTimes = "idle-times": "what became of idle connections beside the check's own: how long they were idle, and whether they survived",
    KeptAlive = "kept-alive": "whether a connection on which something was said now and then survived, how often, and for how long",
    OtherScheme = "other-scheme": "whether the same upgrade works over HTTPS, or in plain where the check asks over HTTPS",
    Pushed = "pushed": "whether data sent by the far side after the idle time arrived",
    CloseCode = "close-code": "the code of the Close frame with which the far side ended the WebSocket; 1005 where it gave none",
    Subprotocol = "subprotocol": "the WebSocket subprotocol that the server chose",

    EndsUnasked = "ends-unasked": "what became of another connection over which nothing was said: the failure that ended it, null where none did",
    Hops = "hops": "devices on the way that answered a packet to the very port whose time to live ended there, nearest first: ttl, address, and the time to live with which the answer arrived",
    AnsweredAt = "answered-at": "how the very port answered packets with a limited time to live: the least that was answered so, what was said, and the time to live with which that arrived",
    OtherHops = "other-hops": "devices on the way that answered other packets to the same host, as in hops",
    OtherAnsweredAt = "other-answered-at": "how other packets to the same host were answered, as in answered-at",
    VanishesBefore = "vanishes-before": "the device that answered other packets to the same host, but, asked at the same time, not those to this port: ttl and address",
    RejectedFrom = "rejected-from": "the sender of the ICMP message that ended the conversation, and the time to live with which that arrived",
    OnLink = "on-link": "whether the target is reached without a router",
    KeptBack = "kept-back": "whether this machine itself could not send the packets",
    Unseen = "unseen": "what this system does not tell of the way",
    Canary = "canary": "what ports of the same address that should be closed did: refused, timed-out, rejected or accepted",

    Encryption = "encryption": "SQL Server's encryption answer: off, on, not-supported, required or strict",
    Version = "version": "the version that the service names",
    Instance = "instance": "the SQL Server instance asked for",
    InstanceMatches = "instance-matches": "whether the port belongs to the instance asked for",
    Instances = "instances": "the instances that SQL Browser lists",
    InstancePort = "instance-port": "the TCP port of the instance",
    LoginError = "login-error": "SQL Server's error number at login",
    LoggedIn = "logged-in": "whether the login was accepted",
    QueryAnswered = "query-answered": "whether a query was answered",

    Dialect = "dialect": "the SMB dialect agreed",
    Signing = "signing": "enabled or required",
    SmbEncryption = "smb-encryption": "whether encryption is offered, and the cipher",
    ServerGuid = "server-guid": "the SMB server's GUID",
    NtStatus = "nt-status": "the NT status that ended the conversation, in hexadecimal",
    Stage = "stage": "how far it came: negotiate, session, tree or list",
    Share = "share": "the share that was asked for",
    Entries = "entries": "entries in the root of the share",
    Anonymous = "anonymous": "whether the session was anonymous",
    NetbiosAnswers = "netbios-answers": "whether SMB answers on TCP 139 where it does not on 445",
    Guest = "guest": "whether the server took the account for a guest",

    TransferPort = "transfer-port": "the port that the TFTP server answers from",
    TftpError = "tftp-error": "the TFTP error code",
    TftpMessage = "tftp-message": "the TFTP error message",
    Options = "options": "the TFTP options that the server accepted",
    FileBytes = "file-bytes": "the file's size in bytes",
    FileRead = "file-read": "bytes of the file that were read",
    Rate = "rate": "bytes per second of the transfer",
    ShortAnswer = "short-answer": "whether SQL Browser answered a question about the usual instance, while its list of all did not come",
    Resends = "resends": "how often a datagram had to be sent again",
    ExchangesTried = "exchanges-tried": "how many more times a datagram was sent, since one had to be sent again",
    ExchangesLost = "exchanges-lost": "how many of them were not answered",
    Repeats = "repeats": "how often the TFTP server repeated a packet that had arrived already",
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}
