//! What became of connection requests that were sent again, from the kernel's own count (tcp(7), `TCP_INFO`).
#![expect(unsafe_code, reason = "the option has no safe wrapper")]

use std::os::fd::{AsFd, AsRawFd};

/// Connection requests that were sent again on this newly opened connection.
#[must_use]
pub fn repeated_requests(socket: &impl AsFd) -> Option<u32> {
    // Nothing else has been sent yet.
    Some(info(socket)?.tcpi_total_retrans)
}

/// Whether a connection request that is not answered could not even be sent again: this machine's own firewall took it.
/// Nothing before the first repetition. (Every try is counted; only one that went out is on its way.)
#[must_use]
pub fn was_kept_back(socket: &impl AsFd) -> Option<bool> {
    let info = info(socket)?;
    (info.tcpi_total_retrans > 0).then_some(info.tcpi_retrans == 0)
}

fn info(socket: &impl AsFd) -> Option<libc::tcp_info> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: `info` is writable and as long as `size` says; an older kernel writes less and leaves the rest zero.
    let result = unsafe {
        libc::getsockopt(descriptor, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut size)
    };
    // SAFETY: the structure is plain numbers, and zero where nothing was written.
    let info = unsafe { info.assume_init() };
    (result == 0).then_some(info)
}
