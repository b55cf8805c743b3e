//! Addresses for programs that are started by tests and cannot choose a port themselves.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that Linux gives to outgoing connections and to listeners without a port.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// Returns an address of this machine with a port on which nobody listens. No other call returns it in this run: a
/// program may take its time until it listens.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Two runs at the same time start at different ports.
    let start = std::process::id() as u16 % COUNT;
    loop {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(taken < COUNT, "all ports were given away");
        let address = SocketAddr::from(([127, 0, 0, 1], FIRST + (start + taken) % COUNT));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
