//! The bounded map from normal forms to analyses, and a shorter way to the same answers by outline. Not shared between
//! threads: every worker has its own.
//!
//! Invariant: an outline leads to the analysis that the normal form of the text has, or nowhere; a hit allocates nothing and parses nothing; texts that do not parse are kept by their exact text, apart from
//! those that do, so that neither can speak for the other.

use std::sync::Arc;

use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::classify::{classify, classify_tokens};
use crate::normal::normalize;
use crate::outline::{self, outline};
use crate::parse::{fingerprint, parse};
use crate::readable::readable;
use crate::{Analysis, Class, Details, Effect, Example, Fingerprint, MAX_ANALYSED, Statement};

type Map<Known> = Cache<Box<[u8]>, Known, Size, foldhash::quality::RandomState>;

/// Analyses by normal form, bounded by number and by size.
#[derive(Debug)]
pub struct Analyses {
    parsed: Map<Arc<Analysis>>,
    refused: Map<Arc<Analysis>>,
    /// By outline; `None`: its texts have normal forms of their own.
    outlines: Map<Option<Arc<Analysis>>>,
    unknown: Arc<Analysis>,
    form: Vec<u8>,
    outline: Vec<u8>,
}

/// Long forms count for more, so that the bound holds for memory too.
#[derive(Clone, Debug)]
struct Size;

impl Size {
    /// A form of this many bytes counts for one.
    const UNIT: usize = 1024;
}

impl<Known> Weighter<Box<[u8]>, Known> for Size {
    fn weight(&self, form: &Box<[u8]>, _: &Known) -> u64 {
        u64::try_from(1 + form.len() / Self::UNIT).unwrap_or(u64::MAX)
    }
}

impl Analyses {
    /// The internal buffer is given back when it has grown beyond this many bytes.
    const MAX_KEPT_BUFFER: usize = 64 * 1024;

    /// A map for about `capacity` forms of ordinary length, and an eighth of that for texts that do not parse.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            parsed: Self::map(capacity),
            refused: Self::map(capacity / 8),
            outlines: Self::map(capacity),
            unknown: Arc::new(Analysis::unknown()),
            form: Vec::new(),
            outline: Vec::new(),
        }
    }

    fn map<Known>(capacity: usize) -> Map<Known> {
        let capacity = capacity.max(8);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(capacity)
            .weight_capacity(u64::try_from(capacity).unwrap_or(u64::MAX))
            .build();
        match options {
            Ok(options) => Cache::with_options(
                options,
                Size,
                foldhash::quality::RandomState::default(),
                DefaultLifecycle::default(),
            ),
            // Both numbers are given above.
            Err(_) => Cache::with(
                capacity,
                0,
                Size,
                foldhash::quality::RandomState::default(),
                DefaultLifecycle::default(),
            ),
        }
    }

    /// What a text is. Texts over [`MAX_ANALYSED`] bytes and texts that are not UTF-8 are [`Analysis::unknown`].
    pub fn analyse(&mut self, sql: &[u8]) -> Arc<Analysis> {
        if sql.len() > MAX_ANALYSED {
            return Arc::clone(&self.unknown);
        }
        if !outline(sql, &mut self.outline) {
            return self.by_form(sql);
        }
        match self.outlines.get(self.outline.as_slice()) {
            Some(Some(known)) => Arc::clone(known),
            Some(None) => self.by_form(sql),
            None => self.learn_outline(sql),
        }
    }

    fn by_form(&mut self, sql: &[u8]) -> Arc<Analysis> {
        normalize(sql, &mut self.form);
        if let Some(known) = self.parsed.get(self.form.as_slice()) {
            return Arc::clone(known);
        }
        self.learn(sql)
    }

    /// The analysis stands for the outline if the normal form has none of the literals that the outline blanks out.
    #[cold]
    fn learn_outline(&mut self, sql: &[u8]) -> Arc<Analysis> {
        let analysis = self.by_form(sql);
        let (mut other, mut form) = (Vec::new(), Vec::new());
        outline::other(sql, &mut other);
        normalize(&other, &mut form);
        let common = (analysis.parsed && form == self.form).then(|| Arc::clone(&analysis));
        self.outlines.insert(self.outline.as_slice().into(), common);
        analysis
    }

    #[cold]
    fn learn(&mut self, sql: &[u8]) -> Arc<Analysis> {
        if let Some(known) = self.refused.get(sql) {
            return Arc::clone(known);
        }
        let Ok(text) = std::str::from_utf8(sql) else { return Arc::clone(&self.unknown) };
        let mut analysis = analyse(text, &self.form);
        if analysis.parsed {
            analysis.example = Example::of(text, &analysis);
        }
        let analysis = Arc::new(analysis);
        if analysis.parsed {
            self.parsed.insert(self.form.as_slice().into(), Arc::clone(&analysis));
        } else {
            self.refused.insert(sql.into(), Arc::clone(&analysis));
        }
        if self.form.capacity() > Self::MAX_KEPT_BUFFER {
            self.form = Vec::new();
        }
        analysis
    }
}

/// Normal forms of more bytes are not parsed.
const MAX_FORM: usize = 256 * 1024;

/// Longer texts are parsed by their normal form if that is much shorter.
const MAX_PARSED_AS_WRITTEN: usize = 8 * 1024;

/// The analysis of a text with this normal form.
pub(crate) fn analyse(sql: &str, form: &[u8]) -> Analysis {
    if form.len() > MAX_FORM {
        return Analysis::unknown();
    }
    // A form with literals in all the right places is a text of this form.
    if sql.len() > MAX_PARSED_AS_WRITTEN
        && form.len() < sql.len() / 2
        && let Some(analysis) = std::str::from_utf8(form).ok().and_then(|sql| judge(sql, form))
    {
        return analysis;
    }
    judge(sql, form).unwrap_or_else(|| {
        let unknown = Statement { class: Class::Other, effect: Effect::Unknown };
        let identity = Fingerprint::of_bytes(form);
        Analysis { text: readable(form), ..Analysis::new(identity, vec![unknown]) }
    })
}

/// `None` when the text does not parse.
fn judge(sql: &str, form: &[u8]) -> Option<Analysis> {
    let identity = fingerprint(sql)?;
    let judged: Vec<_> = match parse(sql) {
        Some(nodes) => nodes.iter().map(classify).collect(),
        None => vec![classify_tokens(sql)],
    };
    let statements = judged.iter().map(|judged| judged.statement).collect();
    let details = judged
        .iter()
        .try_fold(Details::default(), |sum, judged| Some(sum.with(judged.details.as_ref()?)));
    Some(Analysis {
        parsed: true,
        calls_unknown_functions: judged.iter().any(|judged| judged.calls_unknown_functions),
        reads_through_functions: matches!(&*judged, [one] if one.reads_through_functions),
        text: readable(form),
        details,
        ..Analysis::new(identity, statements)
    })
}
