//! How far the bytes of a TCP connection have come, as the kernel counts them (`TCP_INFO`, tcp(7)), without privileges.
#![expect(unsafe_code, reason = "the C library's own struct for it is older than the counters")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use socket2::Socket;

use crate::sys::Delivery;

/// Where the counters are in the kernel's `struct tcp_info` (`linux/tcp.h`), in bytes; it only ever grows at its end.
mod place {
    pub const OPTIONS: usize = 5;
    pub const ANNOUNCED_SEGMENT: usize = 84;
    pub const SENT_AGAIN: usize = 100;
    pub const BYTES_ACKNOWLEDGED: usize = 120;
    pub const END: usize = 128;
}

/// `TCPI_OPT_TIMESTAMPS`: every segment carries this option, which the kernel counts off the segment's size.
const TIMESTAMPS: u8 = 1;
const TIMESTAMP_BYTES: u64 = 12;

/// Nothing where the kernel is too old to count.
#[must_use]
pub fn delivery(socket: &impl AsFd) -> Option<Delivery> {
    let mut info = [0u8; place::END];
    let mut size = libc::socklen_t::try_from(info.len()).ok()?;
    // SAFETY: the buffer is writable and as long as `size` says; the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result != 0 || usize::try_from(size).ok()? < info.len() {
        return None;
    }
    let word = |place: usize| Some(u64::from(u32::from_ne_bytes(info.get(place..place + 4)?.try_into().ok()?)));
    let options = if info[place::OPTIONS] & TIMESTAMPS == 0 { 0 } else { TIMESTAMP_BYTES };
    let acknowledged = info.get(place::BYTES_ACKNOWLEDGED..place::END)?.try_into().ok()?;
    Some(Delivery {
        // The request for the connection counts as one.
        acknowledged: u64::from_ne_bytes(acknowledged).saturating_sub(1),
        segment: word(place::ANNOUNCED_SEGMENT)? + options,
        repeated: word(place::SENT_AGAIN)?,
    })
}

/// Lets neither side of the connection that is yet to be opened send segments of more than so many bytes: this side holds
/// to it, and announces it to the other.
///
/// # Errors
/// Where the system takes no such number.
pub fn limit_segments(socket: &Socket, bytes: u16) -> io::Result<()> {
    socket.set_tcp_mss(bytes.into())
}
