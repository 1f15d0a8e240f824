//! The system's proxy settings: those of the user who runs this (`WinINET`, as browsers use them), and those of the machine
//! (`WinHTTP`, as services use them). The two often differ. Scripts are run by [`super::script`].

use windows_sys::Win32::Foundation::{FALSE, GlobalFree};
use windows_sys::Win32::Networking::WinHttp::{
    WINHTTP_CURRENT_USER_IE_PROXY_CONFIG, WINHTTP_PROXY_INFO, WinHttpGetDefaultProxyConfiguration,
    WinHttpGetIEProxyConfigForCurrentUser,
};
use windows_sys::core::PWSTR;

use crate::model::ask::SystemProxy;

/// Every setting that says something, the user's before the machine's.
#[must_use]
pub fn system_proxies() -> Vec<SystemProxy> {
    let says = |setting: &SystemProxy| setting.proxy.is_some() || setting.script.is_some() || setting.searches;
    [of_user(), of_machine()].into_iter().flatten().filter(says).collect()
}

fn of_user() -> Option<SystemProxy> {
    let mut found = WINHTTP_CURRENT_USER_IE_PROXY_CONFIG::default();
    // SAFETY: `found` is the structure that the call fills in.
    let known = unsafe { WinHttpGetIEProxyConfigForCurrentUser(&raw mut found) } != FALSE;
    known.then(|| SystemProxy {
        name: "Internet settings of this user".to_owned(),
        proxy: take(found.lpszProxy),
        exceptions: take(found.lpszProxyBypass),
        script: take(found.lpszAutoConfigUrl),
        searches: found.fAutoDetect != FALSE,
    })
}

fn of_machine() -> Option<SystemProxy> {
    let mut found = WINHTTP_PROXY_INFO::default();
    // SAFETY: `found` is the structure that the call fills in.
    let known = unsafe { WinHttpGetDefaultProxyConfiguration(&raw mut found) } != FALSE;
    known.then(|| SystemProxy {
        name: "WinHTTP of services (netsh winhttp)".to_owned(),
        proxy: take(found.lpszProxy),
        exceptions: take(found.lpszProxyBypass),
        script: None,
        searches: false,
    })
}

/// A text that the system gave away, which is freed.
pub(super) fn take(text: PWSTR) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: WinHTTP gives texts with a final zero, allocated with GlobalAlloc; nobody else holds this one.
    let words = unsafe {
        let mut length = 0;
        while *text.add(length) != 0 {
            length += 1;
        }
        let words = std::slice::from_raw_parts(text, length).to_vec();
        GlobalFree(text.cast());
        words
    };
    Some(String::from_utf16_lossy(&words)).filter(|text| !text.trim().is_empty())
}
