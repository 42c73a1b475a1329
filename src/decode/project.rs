//! Projects, their limits and their balances.

use crate::decode::field::{Field, Lean, read};
use crate::decode::value::{self, expect_id, not_negative, required_id, string, word, wrapped_integer};
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
    let mut gaps = Gaps::default();
    let page: ProjectPageFields = read(message.as_bytes(), &mut gaps).unwrap_or_default();
    let next_page_token = string(page.next_page_token, &mut gaps)
        .unwrap_or_default()
        .to_owned();
    let items = page
        .projects
        .iter()
        .filter_map(|bytes| listed(bytes, &mut gaps))
        .collect();
    Page {
        items,
        next_page_token,
        gaps,
    }
}

/// The balance of a project: `None` when the API tells none, which means no limit.
pub(crate) fn unit_balance(message: &UnitBalance) -> Decoded<Option<i64>> {
    let mut gaps = Gaps::default();
    let fields: UnitBalanceFields = read(message.as_bytes(), &mut gaps).unwrap_or_default();
    let value = wrapped_integer(fields.unit_balance, &mut gaps);
    Decoded { value, gaps }
}

/// A project of a page; without an id there is nothing to keep, and the page counts why.
fn listed(bytes: &[u8], page_gaps: &mut Gaps) -> Option<Decoded<ProjectSnapshot>> {
    let mut gaps = Gaps::default();
    let listed = read::<ProjectFields>(bytes, &mut gaps).and_then(|fields| {
        let id = required_id(fields.id, &mut gaps)?;
        Some(fields.snapshot(id, &mut gaps))
    });
    if listed.is_none() {
        page_gaps.extend(gaps);
    }
    listed.map(|value| Decoded { value, gaps })
}

/// `v2.Project`.
#[derive(Default)]
struct ProjectFields<'a> {
    id: &'a [u8],
    name: &'a [u8],
    limits: Option<&'a [u8]>,
    community_id: &'a [u8],
}

impl<'a> Lean<'a> for ProjectFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.id = field.bytes(gaps),
            3 => self.name = field.bytes(gaps),
            8 => self.limits = field.message(gaps),
            11 => self.community_id = field.bytes(gaps),
            _ => {}
        }
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

/// `v2.Project.Limits`.
#[derive(Default)]
struct LimitsFields<'a> {
    units_per_hour_max: Option<&'a [u8]>,
    units_per_execution_max: Option<&'a [u8]>,
}

impl<'a> Lean<'a> for LimitsFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.units_per_hour_max = field.message(gaps),
            2 => self.units_per_execution_max = field.message(gaps),
            _ => {}
        }
    }
}

/// `v2.ListProjectsResponse`.
#[derive(Default)]
struct ProjectPageFields<'a> {
    projects: Vec<&'a [u8]>,
    next_page_token: &'a [u8],
}

impl<'a> Lean<'a> for ProjectPageFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        match field.number {
            1 => self.projects.extend(field.message(gaps)),
            2 => self.next_page_token = field.bytes(gaps),
            _ => {}
        }
    }
}

/// `v2.GetUnitBalanceResponse`.
#[derive(Default)]
struct UnitBalanceFields<'a> {
    unit_balance: Option<&'a [u8]>,
}

impl<'a> Lean<'a> for UnitBalanceFields<'a> {
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        if field.number == 1 {
            self.unit_balance = field.message(gaps);
        }
    }
}
