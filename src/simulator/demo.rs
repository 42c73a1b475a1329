//! The fleet of the demo.

use crate::simulator::Scenario;

/// A fleet.
pub fn demo(_jobs: usize, speed: f64) -> Scenario {
    Scenario {
        speed,
        ..Scenario::default()
    }
}
