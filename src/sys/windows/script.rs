//! Scripts that choose proxies (PAC), found and run by `WinHTTP` as for every program of this system.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{FALSE, GetLastError, TRUE};
use windows_sys::Win32::Networking::WinHttp::{
    ERROR_WINHTTP_AUTODETECTION_FAILED, ERROR_WINHTTP_BAD_AUTO_PROXY_SCRIPT, ERROR_WINHTTP_UNABLE_TO_DOWNLOAD_SCRIPT,
    WINHTTP_ACCESS_TYPE_NAMED_PROXY, WINHTTP_ACCESS_TYPE_NO_PROXY, WINHTTP_AUTO_DETECT_TYPE_DHCP,
    WINHTTP_AUTO_DETECT_TYPE_DNS_A, WINHTTP_AUTOPROXY_AUTO_DETECT, WINHTTP_AUTOPROXY_CONFIG_URL,
    WINHTTP_AUTOPROXY_OPTIONS, WINHTTP_PROXY_INFO, WinHttpCloseHandle, WinHttpGetProxyForUrl, WinHttpOpen,
    WinHttpSetTimeouts,
};

use super::proxies::take;
use crate::model::ask::{Chosen, RunScript, SystemProxy};

/// Runs the script of a setting.
pub const RUN_SCRIPT: Option<RunScript> = Some(run);

/// How long a script may take to be found, fetched and run.
const LIMIT: Duration = Duration::from_secs(4);
/// How long each step of fetching it may take, in milliseconds.
const STEP_MS: i32 = 1500;

/// What was not found or not fetched is not tried for every flow again: by script and whether one is looked for.
static FAILED: Mutex<Option<Failed>> = Mutex::new(None);

type Failed = HashMap<(Option<String>, bool), String>;

fn run(setting: &SystemProxy, url: &str) -> Chosen {
    let key = (setting.script.clone(), setting.searches);
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = failed.get_or_insert_default();
    if let Some(why) = failed.get(&key) {
        return Chosen::Unknown(why.clone());
    }
    let (answer, answered) = channel();
    let (script, searches, url) = (setting.script.clone(), setting.searches, url.to_owned());
    thread::spawn(move || answer.send(choose(script.as_deref(), searches, &url)));
    let chosen = answered.recv_timeout(LIMIT).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Chosen::Unknown(format!("it took more than {} s", LIMIT.as_secs())),
        RecvTimeoutError::Disconnected => Chosen::Unknown("it could not be run".to_owned()),
    });
    if let Chosen::Unknown(why) = &chosen {
        failed.insert(key, why.clone());
    }
    chosen
}

/// Asks `WinHTTP`, which may take long.
fn choose(script: Option<&str>, searches: bool, url: &str) -> Chosen {
    // SAFETY: no text is given, and the handle is closed by whoever holds it.
    let session = Session(unsafe {
        WinHttpOpen(std::ptr::null(), WINHTTP_ACCESS_TYPE_NO_PROXY, std::ptr::null(), std::ptr::null(), 0)
    });
    if session.0.is_null() {
        return Chosen::Unknown("WinHTTP can't be opened".to_owned());
    }
    let (script, url) = (script.map(wide), wide(url));
    let mut options = WINHTTP_AUTOPROXY_OPTIONS { fAutoLogonIfChallenged: TRUE, ..Default::default() };
    if searches {
        options.dwFlags |= WINHTTP_AUTOPROXY_AUTO_DETECT;
        options.dwAutoDetectFlags = WINHTTP_AUTO_DETECT_TYPE_DHCP | WINHTTP_AUTO_DETECT_TYPE_DNS_A;
    }
    if let Some(script) = &script {
        options.dwFlags |= WINHTTP_AUTOPROXY_CONFIG_URL;
        options.lpszAutoConfigUrl = script.as_ptr();
    }
    let mut found = WINHTTP_PROXY_INFO::default();
    // SAFETY: the handle is open; both texts end with a zero and outlive the call, and `found` is what it fills in.
    let (known, error) = unsafe {
        WinHttpSetTimeouts(session.0, STEP_MS, STEP_MS, STEP_MS, STEP_MS);
        let known = WinHttpGetProxyForUrl(session.0, url.as_ptr(), &raw mut options, &raw mut found) != FALSE;
        (known, GetLastError())
    };
    if !known {
        return Chosen::Unknown(word(error));
    }
    let (list, _) = (take(found.lpszProxy), take(found.lpszProxyBypass));
    match (found.dwAccessType, list) {
        (WINHTTP_ACCESS_TYPE_NAMED_PROXY, Some(list)) => Chosen::Proxies(list),
        _ => Chosen::Direct,
    }
}

fn word(error: u32) -> String {
    match error {
        ERROR_WINHTTP_AUTODETECTION_FAILED => "none was found in the network".to_owned(),
        ERROR_WINHTTP_UNABLE_TO_DOWNLOAD_SCRIPT => "it can't be fetched".to_owned(),
        ERROR_WINHTTP_BAD_AUTO_PROXY_SCRIPT => "it has a mistake in it".to_owned(),
        other => format!("WinHTTP error {other}"),
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A session of `WinHTTP`.
struct Session(*mut c_void);

impl Drop for Session {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the handle is open, and nobody else holds it.
            unsafe { WinHttpCloseHandle(self.0) };
        }
    }
}
