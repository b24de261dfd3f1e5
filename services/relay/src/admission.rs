//! Owns how many connections are open, in all and per address.
//!
//! Deliberately does not know what a connection is for: a ticket is held while it lasts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::limits::bucket;

/// Counts open connections.
#[derive(Debug)]
pub(crate) struct Admission {
    max: usize,
    max_per_address: usize,
    /// What this machine may open beyond `max`, so that its probes are not shut out by others.
    reserved: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The right to one open connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(crate) fn new(max: usize, max_per_address: usize, reserved: usize) -> Self {
        Self {
            max,
            max_per_address,
            reserved,
            open: Mutex::default(),
        }
    }

    /// Admits one more connection from `address`.
    ///
    /// Errors: the text of the refusal.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Ticket, &'static str> {
        let local = address.to_canonical().is_loopback();
        let max = self.max + if local { self.reserved } else { 0 };
        let address = bucket(address);
        let mut open = self.lock();
        if open.values().sum::<usize>() >= max {
            return Err("rate-limited: the relay has too many connections");
        }
        let count = open.entry(address).or_default();
        if *count >= self.max_per_address {
            return Err("rate-limited: too many connections from your address");
        }
        *count += 1;
        drop(open);
        Ok(Ticket {
            admission: Arc::clone(self),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.admission.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
