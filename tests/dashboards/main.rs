//! The dashboards: made from the exporter's own declarations, compared with what is committed, and held to
//! rules.

#[cfg(test)]
mod committed;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod exporter;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod fragments;
#[cfg(test)]
mod job;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod lint;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod panel;
#[cfg(test)]
mod promql;
#[cfg(test)]
mod query;
#[cfg(test)]
mod words;
