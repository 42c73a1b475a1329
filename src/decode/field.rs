//! The wire format of protobuf, read in place: <https://protobuf.dev/programming-guides/encoding/>.

use crate::model::{Gap, Gaps};

/// A message of which the fields that are shown are kept, and all others passed over without a look.
pub(crate) trait Lean<'a>: Default {
    /// Keeps the field, if it is one that is shown.
    fn take(&mut self, field: &Field<'a>, gaps: &mut Gaps);
}

/// Declares a [`Lean`] message: numbers as in the `.proto` file, and for each the field that keeps it.
macro_rules! lean {
    ($(#[$doc:meta])* $name:ident $(<$lifetime:lifetime>)? {
        $($number:literal => $field:ident: $kept:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $name $(<$lifetime>)? {
            $(pub(crate) $field: $kept,)*
        }

        impl<'a> $crate::decode::field::Lean<'a> for $name $(<$lifetime>)? {
            fn take(&mut self, field: &$crate::decode::field::Field<'a>, gaps: &mut $crate::model::Gaps) {
                match field.number {
                    $($number => $crate::decode::field::Keep::keep(&mut self.$field, field, gaps),)*
                    _ => {}
                }
            }
        }
    };
}
pub(crate) use lean;

/// Reads a message. Bytes that do not parse to their end make one gap and no message: nothing tells whether
/// the part that was readable is true.
pub(crate) fn read<'a, T: Lean<'a>>(bytes: &'a [u8], gaps: &mut Gaps) -> Option<T> {
    let mut message = T::default();
    let mut found = Gaps::default();
    let mut fields = Fields {
        rest: bytes,
        broken: false,
    };
    for field in &mut fields {
        message.take(&field, &mut found);
    }
    if fields.broken {
        gaps.add(Gap::Malformed);
        return None;
    }
    gaps.extend(found);
    Some(message)
}

/// One field.
pub(crate) struct Field<'a> {
    /// Its number in the `.proto` file.
    pub(crate) number: u32,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Delimited(&'a [u8]),
    /// A fixed-width number or a group, of which we read none.
    Skipped,
}

/// Where a field is kept; one that has another wire type than it should is a gap. When a field comes twice the
/// last one counts, as for scalars everywhere: no encoder writes a message twice where one belongs.
pub(crate) trait Keep<'a> {
    /// Keeps the field.
    fn keep(&mut self, field: &Field<'a>, gaps: &mut Gaps);
}

/// A string, bytes, or a message whose presence tells nothing.
impl<'a> Keep<'a> for &'a [u8] {
    fn keep(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        *self = field.bytes(gaps).unwrap_or_default();
    }
}

/// A message.
impl<'a> Keep<'a> for Option<&'a [u8]> {
    fn keep(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        *self = field.bytes(gaps);
    }
}

/// Repeated messages.
impl<'a> Keep<'a> for Vec<&'a [u8]> {
    fn keep(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        self.extend(field.bytes(gaps));
    }
}

impl<'a> Keep<'a> for Integer {
    fn keep(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        self.0 = field.varint(gaps).map(u64::cast_signed);
    }
}

impl<'a> Keep<'a> for bool {
    fn keep(&mut self, field: &Field<'a>, gaps: &mut Gaps) {
        *self = field.varint(gaps).unwrap_or_default() != 0;
    }
}

/// An `int64`, `int32` or enum: zero when unset, and untold when it is there and not a number.
pub(crate) struct Integer(Option<i64>);

impl Default for Integer {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl Integer {
    /// The number, where zero would be a claim of its own: a return code, a balance.
    pub(crate) fn told(&self) -> Option<i64> {
        self.0
    }

    /// The number, where zero means unset.
    pub(crate) fn or_zero(&self) -> i64 {
        self.0.unwrap_or_default()
    }
}

impl<'a> Field<'a> {
    fn bytes(&self, gaps: &mut Gaps) -> Option<&'a [u8]> {
        if let Value::Delimited(bytes) = self.value {
            return Some(bytes);
        }
        gaps.add(Gap::Malformed);
        None
    }

    fn varint(&self, gaps: &mut Gaps) -> Option<u64> {
        if let Value::Varint(number) = self.value {
            return Some(number);
        }
        gaps.add(Gap::Malformed);
        None
    }
}

struct Fields<'a> {
    rest: &'a [u8],
    broken: bool,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.broken = true;
            self.rest = &[];
        }
        field
    }
}

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const DELIMITED: u32 = 2;
const GROUP_START: u32 = 3;
const GROUP_END: u32 = 4;
const FIXED_32: u32 = 5;

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let (number, wire_type) = self.key()?;
        let value = if wire_type == GROUP_START {
            self.skip_group()?
        } else {
            self.value(wire_type)?
        };
        Some(Field { number, value })
    }

    fn key(&mut self) -> Option<(u32, u32)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let number = key >> 3;
        (number != 0).then_some((number, key & 7))
    }

    fn value(&mut self, wire_type: u32) -> Option<Value<'a>> {
        match wire_type {
            VARINT => self.varint().map(Value::Varint),
            DELIMITED => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.bytes(length).map(Value::Delimited)
            }
            FIXED_64 => self.bytes(8).map(|_| Value::Skipped),
            FIXED_32 => self.bytes(4).map(|_| Value::Skipped),
            _ => None,
        }
    }

    /// Groups are counted rather than entered: depth costs no stack.
    fn skip_group(&mut self) -> Option<Value<'a>> {
        let mut depth = 1_u64;
        while depth > 0 {
            match self.key()?.1 {
                GROUP_START => depth += 1,
                GROUP_END => depth -= 1,
                wire_type => {
                    self.value(wire_type)?;
                }
            }
        }
        Some(Value::Skipped)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for (place, byte) in self.rest.iter().enumerate().take(10) {
            // The tenth byte has room for one bit.
            if place == 9 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.rest = self.rest.get(place + 1..)?;
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<(u32, String)>);

    impl<'a> Lean<'a> for Seen {
        fn take(&mut self, field: &Field<'a>, _: &mut Gaps) {
            let value = match field.value {
                Value::Varint(number) => number.to_string(),
                Value::Delimited(bytes) => format!("{bytes:?}"),
                Value::Skipped => "skipped".to_owned(),
            };
            self.0.push((field.number, value));
        }
    }

    fn seen(bytes: &[u8]) -> Option<Vec<(u32, String)>> {
        let mut gaps = Gaps::default();
        let message = read::<Seen>(bytes, &mut gaps);
        assert_eq!(message.is_none(), !gaps.is_empty());
        message.map(|seen| seen.0)
    }

    #[test]
    fn every_wire_type_is_read_or_passed_over() {
        let bytes = [
            [0x08, 0x96, 0x01].as_slice(),
            &[0x12, 2, 7, 8],
            &[0x19, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x25, 0, 0, 0, 0],
            &[0x2b, 0x08, 1, 0x13, 0x14, 0x2c],
            &[0x30, 1],
        ]
        .concat();
        let expected = [
            (1, "150"),
            (2, "[7, 8]"),
            (3, "skipped"),
            (4, "skipped"),
            (5, "skipped"),
            (6, "1"),
        ];
        let expected = expected.map(|(number, value)| (number, value.to_owned()));
        assert_eq!(seen(&bytes), Some(expected.to_vec()));
    }

    #[test]
    fn broken_bytes_make_one_gap_and_no_message() {
        let cases: &[&[u8]] = &[
            &[0x08],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0,
            ],
            &[0x12],
            &[0x12, 3, 7, 8],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x00, 1],
            &[0x0e, 1],
            &[0x2c],
            &[0x2b, 0x08, 1],
            &[0x19, 0, 0],
            &[0x08, 1, 0xff],
        ];
        for bytes in cases {
            assert_eq!(seen(bytes), None, "{bytes:?}");
        }
    }
}
