//! Paging: tokens that say after which item to go on, so that items that come meanwhile shift nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic::Status;

/// Items of a page when the caller does not say.
const SIZE_DEFAULT: usize = 50;
/// Items of a page at most.
const SIZE_MAX: usize = 1000;

/// A page of `items`, and the token of the next; `id` names an item.
///
/// # Errors
/// `INVALID_ARGUMENT` for a size out of range or a token that was not made here.
pub(crate) fn page<'a, T>(
    items: impl Iterator<Item = &'a T>,
    id: impl Fn(&T) -> &str,
    size: i64,
    token: &str,
) -> Result<(Vec<&'a T>, String), Status> {
    let size = match usize::try_from(size) {
        Ok(0) => SIZE_DEFAULT,
        Ok(size) if size <= SIZE_MAX => size,
        _ => {
            return Err(Status::invalid_argument(format!(
                "page_size must be in the range 0 to {SIZE_MAX}"
            )));
        }
    };
    let mut items = items.peekable();
    if !token.is_empty() {
        let after = URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let after = after.ok_or_else(|| Status::invalid_argument("page_token is invalid"))?;
        // An item that has left meanwhile ends the listing: the real service does not say what it does then.
        items.by_ref().find(|item| id(item) == after);
    }
    let page: Vec<&T> = items.by_ref().take(size).collect();
    let next = page.last().filter(|_| items.peek().is_some());
    let token = next
        .map(|item| URL_SAFE_NO_PAD.encode(id(item)))
        .unwrap_or_default();
    Ok((page, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let items: Vec<String> = (0..7).map(|number| format!("bt1{number}")).collect();
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let (page, next) = page(items.iter(), |item| item, 3, &token).unwrap();
            seen.extend(page.into_iter().cloned());
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn sizes_and_tokens_that_make_no_sense_are_refused() {
        let items = ["a".to_owned()];
        for (size, token) in [(-1, ""), (1001, ""), (1, "%%")] {
            assert!(
                page(items.iter(), |item| item, size, token).is_err(),
                "{size} {token}"
            );
        }
    }
}
