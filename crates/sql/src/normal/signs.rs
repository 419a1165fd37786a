//! Literals of a normal form and their signs. Not which literals are replaced at all.
//!
//! Invariant: a sign disappears only where the grammar itself makes it a part of the number.

use super::{Form, Last, NOWHERE, PLACEHOLDER};
use crate::operand::{Side, before};

/// What stands for a number where numbers must stay different from other literals.
const NUMBER: &[u8] = b"0";

impl Form<'_> {
    #[inline]
    pub(super) fn literal(&mut self, is_number: bool) {
        if self.minus_at == self.out.len() {
            self.literal_after_minus(is_number);
        } else {
            self.glued &= self.last != Last::Dot;
            self.space();
            self.out.extend_from_slice(PLACEHOLDER);
        }
        self.last = Last::Literal;
    }

    /// A sign belongs to a number, in the grammar's eyes, if nothing stands before it that it could be subtracted from.
    #[cold]
    pub(super) fn literal_after_minus(&mut self, is_number: bool) {
        self.signs = 0;
        while is_number
            && let Some(at) = ends_with_minus(self.out)
            && before(self.out.get(..at).unwrap_or_default()) == Side::Start
        {
            self.out.truncate(at);
            self.glued = true;
            if self.out.last() == Some(&b' ') {
                self.out.pop();
                self.glued = false;
            }
            self.signs += 1;
        }
        let open = self.out.iter().rposition(|byte| !matches!(byte, b'(' | b' '));
        let before_open = self.out.get(..open.map_or(0, |at| at + 1)).unwrap_or_default();
        let is_operand = |at| before(self.out.get(..at).unwrap_or_default()) == Side::Operand;
        let may_be_signed = ends_with_minus(before_open).is_some_and(|at| !is_operand(at));
        self.space();
        self.out.extend_from_slice(if is_number && may_be_signed { NUMBER } else { PLACEHOLDER });
        self.minus_at = NOWHERE;
        self.signed_at = self.out.len();
    }

    /// A cast binds closer than a sign, so a sign before a number that is cast stands for itself.
    pub(super) fn cast(&mut self) {
        if self.signed_at == self.out.len() && self.signs > 0 {
            let number = if self.out.ends_with(PLACEHOLDER) { PLACEHOLDER } else { NUMBER };
            self.out.truncate(self.out.len() - number.len());
            for _ in 0..self.signs {
                self.out.extend_from_slice(b"- ");
            }
            self.out.extend_from_slice(PLACEHOLDER);
        }
        self.glued = self.last != Last::Other;
        self.space();
        self.out.extend_from_slice(b"::");
        self.glued = true;
        self.last = Last::Operator;
    }
}

/// The place of the operator `-` if a form ends with it.
fn ends_with_minus(form: &[u8]) -> Option<usize> {
    let (last, rest) = form.split_last()?;
    let alone = matches!(rest.last(), None | Some(b' ' | b'(' | b'[' | b'.' | b':' | b';'));
    (*last == b'-' && alone).then_some(rest.len())
}
