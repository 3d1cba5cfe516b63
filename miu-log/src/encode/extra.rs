//! Arguments with fields from elsewhere before them: what [`crate::record::Extra`] reads.
//!
//! The fields are bytes already, so that they are copied as they are. The arguments come behind a pointer: a statement's code is not there twice,
//! once for records with such fields and once for those without.

use super::{Encode, Out, Scratch};
use crate::codec::FLAG_EXTRA;

/// Staged arguments of any type.
pub(crate) trait AnyEncode {
    fn count(&self) -> usize;
    fn size(&self, scratch: &Scratch) -> usize;
    fn put(&self, scratch: &Scratch, out: &mut Out<'_>);
    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>);
}

impl<E: Encode> AnyEncode for E {
    fn count(&self) -> usize {
        Encode::count(self)
    }

    fn size(&self, scratch: &Scratch) -> usize {
        Encode::size(self, scratch)
    }

    fn put(&self, scratch: &Scratch, out: &mut Out<'_>) {
        Encode::put(self, scratch, out);
    }

    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>) {
        Encode::put_long(self, scratch, cap, out);
    }
}

/// Arguments, and the fields before them.
pub(crate) struct WithExtra<'a> {
    /// Encoded fields, those that count less first.
    pub(crate) fields: &'a [&'a [u8]],
    /// Values captured for a diagnosis.
    pub(crate) captured: &'a [u8],
    pub(crate) arguments: &'a dyn AnyEncode,
}

impl WithExtra<'_> {
    fn fields_len(&self) -> usize {
        self.fields.iter().map(|fields| fields.len()).sum()
    }

    fn lens(&self) -> [u8; 8] {
        let lens = [self.fields_len(), self.captured.len()];
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&(lens[0] as u32).to_le_bytes());
        bytes[4..].copy_from_slice(&(lens[1] as u32).to_le_bytes());
        bytes
    }
}

impl Encode for WithExtra<'_> {
    const COUNT: usize = 0;
    const FLAGS: u8 = FLAG_EXTRA;

    fn count(&self) -> usize {
        // The fields are bounded, and so short that a share of the bound holds them.
        self.arguments.count() + 1
    }

    fn size(&self, scratch: &Scratch) -> usize {
        (8 + self.fields_len() + self.captured.len()).saturating_add(self.arguments.size(scratch))
    }

    fn put(&self, scratch: &Scratch, out: &mut Out<'_>) {
        out.put(&self.lens());
        for fields in self.fields {
            out.put(fields);
        }
        out.put(self.captured);
        self.arguments.put(scratch, out);
    }

    fn put_long(&self, scratch: &Scratch, cap: usize, out: &mut Vec<u8>) {
        out.extend(self.lens());
        for fields in self.fields {
            out.extend_from_slice(fields);
        }
        out.extend_from_slice(self.captured);
        self.arguments.put_long(scratch, cap, out);
    }
}
