//! Projects, their limits and their balances.

use crate::decode::field::{lean, read};
use crate::decode::page::page;
use crate::decode::value::{self, expect_id, not_negative, required_id, word, wrapped_integer};
use crate::decode::wire::{Page, Project, ProjectPage, UnitBalance};
use crate::model::{Decoded, Gaps, ProjectId, ProjectSnapshot};

/// One project. The id is the one asked for, whatever the answer says.
pub(crate) fn project(asked: &ProjectId, message: &Project) -> Decoded<ProjectSnapshot> {
    let mut gaps = Gaps::default();
    let fields = read::<ProjectFields>(message.as_bytes(), &mut gaps);
    if let Some(fields) = &fields {
        expect_id(fields.id, asked.as_str(), &mut gaps);
    }
    let value = fields.unwrap_or_default().snapshot(asked.clone(), &mut gaps);
    Decoded { value, gaps }
}

/// One page of a community's projects.
pub(crate) fn projects(message: &ProjectPage) -> Page<Decoded<ProjectSnapshot>> {
    page(message.as_bytes(), |bytes, gaps| {
        let fields: ProjectFields = read(bytes, gaps)?;
        let id = required_id(fields.id, gaps)?;
        Some(fields.snapshot(id, gaps))
    })
}

/// The balance of a project: `None` when the API tells none, which means no limit.
pub(crate) fn unit_balance(message: &UnitBalance) -> Decoded<Option<i64>> {
    let mut gaps = Gaps::default();
    let fields: UnitBalanceFields = read(message.as_bytes(), &mut gaps).unwrap_or_default();
    let value = wrapped_integer(fields.unit_balance, &mut gaps);
    Decoded { value, gaps }
}

lean! {
    /// `v2.Project`.
    ProjectFields<'a> {
        1 => id: &'a [u8],
        3 => name: &'a [u8],
        8 => limits: Option<&'a [u8]>,
        11 => community_id: &'a [u8],
    }
}

impl ProjectFields<'_> {
    fn snapshot(&self, id: ProjectId, gaps: &mut Gaps) -> ProjectSnapshot {
        let limits: LimitsFields = self
            .limits
            .and_then(|bytes| read(bytes, gaps))
            .unwrap_or_default();
        ProjectSnapshot {
            id,
            name: word(self.name, gaps),
            community_id: value::id(self.community_id, gaps),
            units_per_hour_max: limit(limits.units_per_hour_max, gaps),
            units_per_execution_max: limit(limits.units_per_execution_max, gaps),
        }
    }
}

/// A limit that is set; it cannot be negative.
fn limit(bytes: Option<&[u8]>, gaps: &mut Gaps) -> Option<i64> {
    let units = wrapped_integer(bytes, gaps)?;
    not_negative(units, gaps).map(|_| units)
}

lean! {
    /// `v2.Project.Limits`.
    LimitsFields<'a> {
        1 => units_per_hour_max: Option<&'a [u8]>,
        2 => units_per_execution_max: Option<&'a [u8]>,
    }
}

lean! {
    /// `v2.GetUnitBalanceResponse`.
    UnitBalanceFields<'a> {
        1 => unit_balance: Option<&'a [u8]>,
    }
}
