//! Pages of listings.

use crate::decode::field::{lean, read};
use crate::decode::value::string;
use crate::decode::wire::Page;
use crate::model::{Decoded, Gaps};

/// A page, and its items as `item` reads them. One that it cannot read is left out, and its gaps are the page's.
pub(crate) fn page<T>(bytes: &[u8], item: impl Fn(&[u8], &mut Gaps) -> Option<T>) -> Page<Decoded<T>> {
    let mut page_gaps = Gaps::default();
    let fields: PageFields = read(bytes, &mut page_gaps).unwrap_or_default();
    let next_page_token = string(fields.next_page_token, &mut page_gaps).unwrap_or_default();
    let mut items = Vec::with_capacity(fields.items.len());
    for bytes in fields.items {
        let mut gaps = Gaps::default();
        match item(bytes, &mut gaps) {
            Some(value) => items.push(Decoded { value, gaps }),
            None => page_gaps.extend(gaps),
        }
    }
    Page {
        items,
        next_page_token: next_page_token.to_owned(),
        gaps: page_gaps,
    }
}

lean! {
    /// `ListProjectJobResponse` and `ListProjectsResponse`, which have the same fields.
    PageFields<'a> {
        1 => items: Vec<&'a [u8]>,
        2 => next_page_token: &'a [u8],
    }
}
