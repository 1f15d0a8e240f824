//! `docs/comparison.md` from what everybody said. Only computes.

use std::fmt::Write;

use crate::beside::{Compared, Flow};

const HEAD: &str = "\
# Beside other programs

The faults of `tests/lab/scenarios`, each in its own network, and what four programs say of the same flow on the same
machine: `bothways`, `nmap -sS` or `-sU` with `--reason` (as root), `nc -z -v -w 5` and `blackbox_exporter` (its `http` or
`tcp` prober, with the error from its debug log; the metrics that one alerts on have only success or not). Where several
flows have the same fault the first is shown; through proxies only `bothways` asks, the others asked the target directly and are not judged.
`tests/lab/compare` writes this page; the sentences, remedies and folded findings of `bothways` are left out here.

**As much** says which of the others tell as much as `bothways` of this flow: whether it works, why not (refused, dropped,
rejected, a name that is not found, a certificate that does not hold), and where `bothways` knows it, who rejects, which half
is lost and how far packets come. A row without a name in that column is one where they say less, or something wrong;
**wrong** lists those that call a port open which can't be reached, or one closed that works.

";

/// The whole page.
pub fn page(rows: &[Compared]) -> String {
    let mut out = HEAD.to_owned();
    let broken: Vec<&Compared> = rows.iter().filter(|row| row.flow.status != "pass").collect();
    let count = |good: fn(&Compared) -> bool| broken.iter().filter(|row| good(row)).count();
    let _ = writeln!(
        out,
        "Of {} flows that don't work, nmap says as much of {} and is wrong about {}; netcat {} and {}; blackbox_exporter {} \
         and {}.\n",
        broken.len(),
        count(|row| as_much(row)[0]),
        count(|row| wrong(row)[0]),
        count(|row| as_much(row)[1]),
        count(|row| wrong(row)[1]),
        count(|row| as_much(row)[2]),
        count(|row| wrong(row)[2]),
    );
    out.push_str("| scenario and flow | bothways | nmap | netcat | blackbox_exporter | as much | wrong |\n|---|---|---|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(
            out,
            "| **{}**: {} `{}` | {} | {} | {} | {} | {} | {} |",
            row.scenario,
            cell(&row.fault),
            row.flow.check,
            verdict(&row.flow),
            cell(&row.nmap),
            cell(&row.netcat),
            cell(&row.exporter),
            names(as_much(row)),
            names(wrong(row)),
        );
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn verdict(flow: &Flow) -> String {
    let mut said = format!("{} `{}`", flow.status, flow.code);
    if let Some(half) = &flow.lost {
        let _ = write!(said, ", {half} lost");
    }
    if let Some(device) = &flow.rejected_by {
        let _ = write!(said, ", by {device}");
    }
    if let Some(hop) = &flow.last_hop {
        let _ = write!(said, ", last hop {hop}");
    }
    said
}

fn names(which: [bool; 3]) -> String {
    let all = ["nmap", "netcat", "blackbox_exporter"].into_iter().zip(which);
    all.filter_map(|(name, yes)| yes.then_some(name)).collect::<Vec<_>>().join(", ")
}

/// Whether nmap, netcat and the exporter call the flow open; nothing where they don't say.
fn open(row: &Compared) -> [Option<bool>; 3] {
    let nmap = match row.nmap.split(' ').next() {
        Some("open") => Some(true),
        Some("closed" | "filtered") => Some(false),
        _ => None,
    };
    let netcat = Some(row.netcat == "succeeded");
    let exporter = (row.exporter != "no UDP").then(|| row.exporter == "success");
    [nmap, netcat, exporter]
}

/// Faults that leave the port itself open, as far as who only connects can see.
fn is_above_the_port(code: &str) -> bool {
    [
        "tls-",
        "http-",
        "ws-",
        "smb-",
        "sql-not",
        "sql-strict",
        "sql-login",
        "sql-enc",
        "tftp-file",
        "tftp-stalled",
        "tftp-access",
    ]
    .iter()
    .any(|start| code.starts_with(start))
        || [
            "silent",
            "reset-on-payload",
            "reset-after-connect",
            "closed-after-connect",
            "wrong-service",
            "large-packets-lost",
        ]
        .contains(&code)
}

/// Which of them say the opposite of what is.
fn wrong(row: &Compared) -> [bool; 3] {
    if row.flow.proxied {
        return [false; 3];
    }
    match row.flow.status.as_str() {
        "pass" => open(row).map(|open| open == Some(row.flow.blocked)),
        "fail" if row.flow.blocked => open(row).map(|open| open == Some(false)),
        "fail" if !is_above_the_port(&row.flow.code) => open(row).map(|open| open == Some(true)),
        _ => [false; 3],
    }
}

/// Which of them say as much as `bothways`; the page's head says what that means.
fn as_much(row: &Compared) -> [bool; 3] {
    let flow = &row.flow;
    if flow.proxied {
        return [false; 3];
    }
    if flow.status == "pass" {
        let [nmap, netcat, exporter] = open(row).map(|open| open == Some(!flow.blocked));
        // It calls every datagram that is not rejected at once a success.
        return [nmap, netcat && !flow.udp, exporter];
    }
    let texts = [&row.nmap, &row.netcat, &row.exporter];
    // Which half of a silence is lost can't be seen from one side.
    let half = flow.lost.is_some() && flow.rejected_by.is_none();
    let hop = flow.last_hop.is_some();
    texts.map(|text| {
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        // nmap names the sender where it is not the target.
        let named = |device: &String| *device == flow.host || text.contains(&format!("from {device}"));
        let device = flow.rejected_by.as_ref().is_none_or(named);
        match flow.code.as_str() {
            "refused" => !half && has(&["closed (reset", "closed (port-unreach", "refused"]),
            "dropped" => {
                !half && !hop && has(&["no-response", "timed out", "Operation now in progress", "i/o timeout"])
            }
            // Where nothing is to be open, that something answers is all.
            "exposed" => has(&["open (", "succeeded", "success"]) && !has(&["no success"]) && !flow.udp,
            "no-answer" => has(&["open|filtered"]),
            "rejected" => device && has(&["prohibited", "unreach", "no-route", "reject-route", "fail"]),
            "refused-in-path" => flow.rejected_by.is_some() && device && has(&["unreach"]),
            "unreachable" => device && has(&["unreach", "No route"]),
            "name-not-found" => has(&["resolve", "not known", "no such host"]),
            "http-status" => has(&["status"]),
            code if code.starts_with("tls-") => has(&["x509", "tls:", "handshake"]),
            _ => false,
        }
    })
}
