//! Which tags a changed row raises, for the sets of columns that somebody asked for.
//!
//! Invariant: where a value is not told, something coarser is raised that every answer carries which could depend on it.

use howdah_wire::replication::pgoutput::{self, Datum, Old, Tuple};

use crate::cache::Tag;
use crate::cache::faults::{Fault, is_planted};
use crate::cache::freshness::ColumnSets;
use crate::cache::images::{Image as Kept, Key, LARGEST, Row, Told};
use crate::cache::shapes::Shapes;
use crate::cache::tag::Oid;

/// What the stream says of a relation before it tells its rows.
#[derive(Debug)]
pub(super) struct Described {
    /// Whether it is told of old rows, and the name: in the order of a row's values.
    columns: Vec<(bool, Box<[u8]>)>,
}

impl Described {
    pub(super) fn new(relation: &pgoutput::Relation<'_>) -> Self {
        let column = |it: pgoutput::Column<'_>| (it.identity, it.name.into());
        Self { columns: relation.columns().map(column).collect() }
    }
}

/// What the rows of one relation raise.
#[derive(Debug)]
pub(super) struct Plan {
    targets: Vec<Target>,
    /// By number of the column, where its value is in a row of the only one of these; `None`: nobody looks such rows up.
    images: Option<Vec<(i16, usize)>>,
}

/// A relation of which they are rows.
#[derive(Debug)]
struct Target {
    relation: Oid,
    sets: Vec<Set>,
}

/// A set of columns of it.
#[derive(Debug)]
struct Set {
    /// Each column's number, and where its value is in a row; `None`: one of them is not told.
    columns: Option<Vec<(i16, usize)>>,
    attnums: Box<[i16]>,
    /// Its values in old rows are told.
    identity: bool,
    /// It is all that identifies a row.
    identifies: bool,
}

/// The values of a set in a row.
enum Image {
    Row(Tag),
    /// One of them is NULL: no equality finds it.
    Nowhere,
    Unknown,
}

impl Plan {
    /// `None`: the catalog does not have the relation as it is described.
    pub(super) fn new(
        relation: Oid,
        described: &Described,
        shapes: &Shapes,
        sets: &ColumnSets,
    ) -> Option<Self> {
        let own = shapes.get(relation)?;
        if !described.columns.iter().all(|(_, name)| own.columns.contains_key(name)) {
            return None;
        }
        let target = |oid: Oid| {
            let shape = shapes.get(oid)?;
            let told = |attnum: i16| {
                let (name, _) = shape.columns.iter().find(|(_, number)| **number == attnum)?;
                described.columns.iter().position(|(_, told)| told == name)
            };
            let plan = |attnums: &[i16]| {
                let column = |attnum: &i16| Some((*attnum, told(*attnum)?));
                let columns: Option<Vec<_>> = attnums.iter().map(column).collect();
                let is_identity =
                    |at: usize| described.columns.get(at).is_some_and(|(identity, _)| *identity);
                let identity =
                    columns.iter().flatten().all(|(_, at)| is_identity(*at)) && columns.is_some();
                let all = described.columns.iter().filter(|(identity, _)| *identity).count();
                let identifies = identity && attnums.len() == all;
                Set { columns, attnums: attnums.into(), identity, identifies }
            };
            let sets = sets.get(&oid).into_iter().flatten().map(|set| plan(set.attnums()));
            Some(Target { relation: oid, sets: sets.collect() })
        };
        let targets: Option<Vec<_>> = shapes.upwards(relation).into_iter().map(target).collect();
        let targets = targets?;
        // What identifies a row of several relations may be that of another row there.
        let alone = matches!(targets.as_slice(), [only] if only.by_identity().is_some());
        let number = |(at, (_, name)): (usize, &(bool, Box<[u8]>))| {
            own.columns.get(name).map(|attnum| (*attnum, at))
        };
        let images =
            alone.then(|| described.columns.iter().enumerate().filter_map(number).collect());
        Some(Self { targets, images })
    }

    /// What a change says of rows that are looked up by what identifies them, in the order in which it counts. `None`: something that
    /// cannot be told.
    pub(super) fn images(
        &self,
        old: Option<&Old<'_>>,
        new: Option<&Tuple<'_>>,
        tell: &mut dyn FnMut(Option<(Tag, Told)>),
    ) {
        let (Some(columns), [target]) = (&self.images, self.targets.as_slice()) else { return };
        let Some(set) = target.by_identity() else { return };
        let new: Option<Vec<_>> = new.map(|tuple| tuple.values().collect());
        let after = new.as_ref().map(|values| set.key(values));
        if let Some(old) = old {
            let before = set.key(&values(old).0);
            if after.as_ref() != Some(&before) {
                tell(before.map(|key| target.tell(key, Some(None))));
            }
        }
        if let (Some(values), Some(key)) = (new, after) {
            let size: usize = values.iter().map(length).sum();
            let row = (size <= LARGEST).then(|| {
                let told = columns.iter().filter_map(|(attnum, at)| match values.get(*at)? {
                    Datum::Text(text) => Some((*attnum, Some(*text))),
                    Datum::Null => Some((*attnum, None)),
                    Datum::Unchanged | Datum::Binary(_) => None,
                });
                Some(Row::new(told))
            });
            tell(key.map(|key| target.tell(key, row)));
        }
    }

    /// All relations of which the rows are rows.
    pub(super) fn relations(&self) -> impl Iterator<Item = Oid> + '_ {
        self.targets.iter().map(|target| target.relation)
    }

    pub(super) fn insert(&self, new: &Tuple<'_>, touch: &mut dyn FnMut(Tag)) {
        let new: Vec<_> = new.values().collect();
        for target in &self.targets {
            touch(Tag::table(target.relation));
            for set in &target.sets {
                target.raise(&set.image(target.relation, &new), touch);
            }
        }
    }

    pub(super) fn update(
        &self,
        old: Option<&Old<'_>>,
        new: &Tuple<'_>,
        touch: &mut dyn FnMut(Tag),
    ) {
        let mut new: Vec<_> = new.values().collect();
        if let Some(Old::Full(old)) = old {
            for (value, before) in new.iter_mut().zip(old.values()) {
                if *value == Datum::Unchanged {
                    *value = before;
                }
            }
        }
        let before = old.map(values);
        for target in &self.targets {
            touch(Tag::table(target.relation));
            for set in &target.sets {
                target.raise(&set.image(target.relation, &new), touch);
                match &before {
                    Some((before, full)) => target.leave(set, before, *full, touch),
                    // The identity has not changed.
                    None if set.identity => {}
                    None => touch(Tag::columns(target.relation, &set.attnums)),
                }
            }
        }
    }

    pub(super) fn delete(&self, old: &Old<'_>, touch: &mut dyn FnMut(Tag)) {
        let (before, full) = values(old);
        for target in &self.targets {
            touch(Tag::table(target.relation));
            for set in &target.sets {
                target.leave(set, &before, full, touch);
            }
        }
    }

    pub(super) fn truncate(&self, touch: &mut dyn FnMut(Tag)) {
        for target in &self.targets {
            touch(Tag::whole(target.relation));
        }
    }
}

fn length(value: &Datum<'_>) -> usize {
    match value {
        Datum::Text(bytes) | Datum::Binary(bytes) => bytes.len(),
        Datum::Null | Datum::Unchanged => 0,
    }
}

/// The values of an old row, and whether they are all of it.
fn values<'a>(old: &Old<'a>) -> (Vec<Datum<'a>>, bool) {
    match old {
        Old::Full(tuple) => (tuple.values().collect(), true),
        Old::Key(tuple) => (tuple.values().collect(), false),
    }
}

impl Target {
    /// The set that is all that identifies a row, if somebody has asked for it.
    fn by_identity(&self) -> Option<&Set> {
        self.sets.iter().find(|set| set.identifies)
    }

    /// What is said of the row with this key: what it is now, that it is gone (`Some(None)`), or only that it is another.
    fn tell(&self, key: Key, row: Option<Option<Row>>) -> (Tag, Told) {
        let values = key.iter().map(|(attnum, value)| (*attnum, &**value));
        let tag = Tag::row(self.relation, values);
        (tag, row.map_or(Told::Changed, |row| Told::Image(Kept { key, row })))
    }

    fn raise(&self, image: &Image, touch: &mut dyn FnMut(Tag)) {
        match image {
            Image::Row(tag) => touch(*tag),
            Image::Nowhere => {}
            Image::Unknown => touch(Tag::whole(self.relation)),
        }
    }

    /// A row is not what it was.
    fn leave(&self, set: &Set, before: &[Datum<'_>], full: bool, touch: &mut dyn FnMut(Tag)) {
        if is_planted(Fault::LeaveSilently) {
            return;
        }
        if full || set.identity {
            self.raise(&set.image(self.relation, before), touch);
        } else {
            touch(Tag::columns(self.relation, &set.attnums));
        }
    }
}

impl Set {
    /// The values of a row that is told completely.
    fn key(&self, values: &[Datum<'_>]) -> Option<Key> {
        let text = |(attnum, at): &(i16, usize)| match values.get(*at)? {
            Datum::Text(text) => Some((*attnum, Box::from(*text))),
            Datum::Null | Datum::Unchanged | Datum::Binary(_) => None,
        };
        self.columns.as_ref()?.iter().map(text).collect()
    }

    fn image(&self, relation: Oid, values: &[Datum<'_>]) -> Image {
        let Some(columns) = &self.columns else { return Image::Unknown };
        let value = |at: usize| values.get(at).copied().unwrap_or(Datum::Unchanged);
        if columns.iter().any(|(_, at)| value(*at) == Datum::Null) {
            return Image::Nowhere;
        }
        let texts = columns.iter().map(|(attnum, at)| match value(*at) {
            Datum::Text(text) => Some((*attnum, text)),
            Datum::Null | Datum::Unchanged | Datum::Binary(_) => None,
        });
        let texts: Option<Vec<_>> = texts.collect();
        texts.map_or(Image::Unknown, |texts| Image::Row(Tag::row(relation, texts)))
    }
}
