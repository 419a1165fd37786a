//! Rows as recent commits have left them, by the tag of what identifies them: what answers can be patched with. Not whether a commit is
//! visible, nor whether it is the last one that changed the row: whoever asks finds that out by its position.
//!
//! Invariant: bounded; of a row there is the image of the latest commit that was told of it, or none.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::quality::RandomState;
use parking_lot::Mutex;

use super::faults::{Fault, is_planted};
use super::{Lsn, Tag};

/// Images that are kept, and their bytes; the oldest go first.
const IMAGES: usize = 1 << 15;
const BYTES: usize = 16 << 20;
/// A larger row is not kept.
pub(super) const LARGEST: usize = 4096;

/// Values that identify a row: each with its `attnum`, ascending, as the stream writes it.
pub type Key = Box<[(i16, Box<[u8]>)]>;

/// A row, or that there is none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What identifies it.
    pub key: Key,
    /// `None`: it was deleted.
    pub row: Option<Row>,
}

/// The values of a row, as the stream writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Number of the column, and where its value ends; `None`: NULL. Those that are not told are not here.
    ends: Box<[(i16, Option<u32>)]>,
    bytes: Box<[u8]>,
}

impl Row {
    /// Of these values by number of their column.
    #[must_use]
    pub fn new<'a>(values: impl IntoIterator<Item = (i16, Option<&'a [u8]>)>) -> Self {
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        for (attnum, value) in values {
            bytes.extend_from_slice(value.unwrap_or_default());
            let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            ends.push((attnum, value.map(|_| end)));
        }
        Self { ends: ends.into(), bytes: bytes.into() }
    }

    /// The value of a column, or NULL. `None`: it is not told.
    pub(super) fn value(&self, attnum: i16) -> Option<Option<&[u8]>> {
        let mut start = 0;
        for (number, end) in &self.ends {
            if *number == attnum {
                let Some(end) = end else { return Some(None) };
                return self.bytes.get(start..usize::try_from(*end).ok()?).map(Some);
            }
            if let Some(end) = end {
                start = usize::try_from(*end).ok()?;
            }
        }
        None
    }

    fn len(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<(i16, Option<u32>)>()
    }
}

/// What a commit says of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// This.
    Image(Image),
    /// That it was changed, and not how.
    Changed,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Images {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_tag: HashMap<Tag, (Lsn, Arc<Image>), RandomState>,
    /// In the order in which they came; one that is not the latest of its tag any more counts for nothing.
    order: VecDeque<(Tag, Lsn, usize)>,
    bytes: usize,
}

impl Images {
    /// What a commit that ends at this position says of rows.
    pub(super) fn on_commit(&self, position: Lsn, told: Vec<(Tag, Told)>) {
        if told.is_empty() {
            return;
        }
        let mut kept = self.kept.lock();
        for (tag, told) in told {
            match told {
                Told::Changed => {
                    kept.by_tag.remove(&tag);
                }
                Told::Image(_) if is_planted(Fault::PatchFirst) && kept.has(tag, position) => {}
                Told::Image(image) => kept.put(tag, position, image),
            }
        }
        kept.shrink();
    }

    /// The row of this tag as the latest commit that was told of it has left it, and where that ends.
    pub(super) fn get(&self, tag: Tag) -> Option<(Lsn, Arc<Image>)> {
        self.kept.lock().by_tag.get(&tag).cloned()
    }

    /// Positions of another history follow.
    pub(super) fn clear(&self) {
        *self.kept.lock() = Kept::default();
    }
}

impl Kept {
    fn has(&self, tag: Tag, position: Lsn) -> bool {
        self.by_tag.get(&tag).is_some_and(|(latest, _)| *latest == position)
    }

    fn put(&mut self, tag: Tag, position: Lsn, image: Image) {
        let key = image.key.iter().map(|(_, value)| 32 + value.len()).sum::<usize>();
        let size = 128 + key + image.row.as_ref().map_or(0, Row::len);
        self.bytes += size;
        self.order.push_back((tag, position, size));
        self.by_tag.insert(tag, (position, Arc::new(image)));
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES || self.order.len() > IMAGES {
            let Some((tag, position, size)) = self.order.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(size);
            if self.has(tag, position) {
                self.by_tag.remove(&tag);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(key: &[u8], bytes: usize) -> Told {
        let row = Row::new([(1, Some(key)), (2, None), (3, Some(&*vec![b'x'; bytes]))]);
        Told::Image(Image { key: [(1, key.into())].into(), row: Some(row) })
    }

    #[test]
    fn values_are_found_by_their_column() {
        let row = Row::new([(1, Some(b"a".as_slice())), (2, None), (4, Some(b"cd"))]);
        assert_eq!(row.value(1), Some(Some(b"a".as_slice())));
        assert_eq!((row.value(2), row.value(3)), (Some(None), None));
        assert_eq!(row.value(4), Some(Some(b"cd".as_slice())));
    }

    #[test]
    fn the_latest_is_found_and_what_is_not_told_is_not() {
        let images = Images::default();
        images.on_commit(Lsn(10), vec![(Tag(1), image(b"a", 1)), (Tag(2), image(b"b", 1))]);
        images.on_commit(Lsn(20), vec![(Tag(1), image(b"a", 2)), (Tag(2), Told::Changed)]);
        assert_eq!(images.get(Tag(1)).map(|(position, _)| position), Some(Lsn(20)));
        assert_eq!((images.get(Tag(2)), images.get(Tag(3))), (None, None));
        images.clear();
        assert_eq!(images.get(Tag(1)), None);
    }

    #[test]
    fn the_oldest_go_first_and_the_bound_holds() {
        let images = Images::default();
        for number in 0..20_000_u64 {
            let told = vec![(Tag(number % 9_000), image(b"k", 4_000)), (Tag(1), image(b"k", 1))];
            images.on_commit(Lsn(number + 1), told);
        }
        let kept = images.kept.lock();
        assert!(kept.bytes <= BYTES && kept.order.len() <= IMAGES, "{} bytes", kept.bytes);
        let known = |tag| kept.by_tag.get(&Tag(tag)).map(|(position, _)| position.0);
        assert_eq!((known(19_999 % 9_000), known(1)), (Some(20_000), Some(20_000)));
        assert_eq!(known(3_000), None, "it was among the oldest");
        assert!(kept.by_tag.len() < 4_200, "{}", kept.by_tag.len());
    }
}
