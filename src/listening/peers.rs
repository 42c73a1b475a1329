//! What each address of callers (of IPv6, each network) has of something that all share, so that none takes all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by address.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    each_max: usize,
    counts: Arc<Mutex<Counts>>,
}

/// Callers over a unix socket have no address, and one share of their own: a proxy there, or a program in a loop, leaves
/// room for a health check over the loopback address.
type Counts = HashMap<Option<IpAddr>, usize>;

/// One of what an address has; it is given back once this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    peer: Option<IpAddr>,
    counts: Arc<Mutex<Counts>>,
}

impl Peers {
    pub(crate) fn new(each_max: usize) -> Self {
        Self {
            each_max,
            counts: Arc::default(),
        }
    }

    /// One more for this address; `None` when it has its share.
    pub(crate) fn share(&self, peer: impl Into<Option<IpAddr>>) -> Option<Share> {
        let peer = peer.into().map(holder);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(Share {
            peer,
            counts: Arc::clone(&self.counts),
        })
    }
}

/// Whom a share belongs to: an address of IPv4, whichever socket it came through, or a network of IPv6, of whose
/// addresses a host has as many as it likes: <https://www.rfc-editor.org/rfc/rfc4291#section-2.5.4>.
fn holder(peer: IpAddr) -> IpAddr {
    const NETWORK: u128 = u128::MAX << 64;
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK))
        }
        address => address,
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = counts.entry(self.peer) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_leaves_nothing_behind() {
        let peers = Peers::new(2);
        let (one, other) = ("127.0.0.1", "::1");
        let share = |peer: &str| peers.share(peer.parse::<IpAddr>().expect("an address"));
        let held = (
            share(one).expect("room"),
            share("::ffff:127.0.0.1").expect("room"),
        );
        assert!(share(one).is_none(), "it has its share");
        assert!(share(other).is_some(), "another has its own");
        assert!(peers.share(None).is_some(), "a unix socket too");
        drop(held.0);
        assert!(share(one).is_some(), "what was given back");
        drop(held.1);
        assert!(peers.counts.lock().expect("not poisoned").is_empty());
    }

    #[test]
    fn a_host_does_not_get_more_with_further_addresses_of_its_network() {
        let peers = Peers::new(1);
        let share = |peer: &str| peers.share(peer.parse::<IpAddr>().expect("an address"));
        let _held = share("2001:db8:0:1::1").expect("room");
        assert!(share("2001:db8:0:1:ffff::2").is_none(), "the same network");
        assert!(share("2001:db8:0:2::1").is_some(), "another");
    }
}
