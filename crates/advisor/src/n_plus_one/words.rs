//! What to do about it, as a statement and in the words of frameworks. Not whether it is so.
//!
//! Invariant: no statement where one for all rows would not be the same with more rows.

/// The statement for all values at once: `= $1` becomes `= ANY($1)`. Not where rows are limited, sorted or counted together, which each call does for itself.
#[must_use]
pub fn batched(text: &str, varying: usize) -> Option<String> {
    let lower = text.to_lowercase();
    let words = [
        "limit", "offset", "group by", "distinct", "count(", "sum(", "min(", "max(", "avg(",
        "order by", "union",
    ];
    if words.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let parameter = format!("= ${varying}");
    let mut places = text.match_indices(&parameter).filter(|(at, found)| {
        let next = text.get(at + found.len()..).and_then(|rest| rest.chars().next());
        !next.is_some_and(|next| next.is_ascii_digit())
    });
    let (at, found) = places.next()?;
    if places.next().is_some() {
        return None;
    }
    Some(format!("{}= ANY(${varying}){}", text.get(..at)?, text.get(at + found.len()..)?))
}

/// What a framework calls it, by a tag or an application's name.
#[must_use]
pub fn hint(tag: &str) -> Option<&'static str> {
    let tag = tag.to_lowercase();
    let known: &[(&[&str], &str)] = &[
        (
            &["rails", "activerecord", "active_record"],
            "Active Record: includes(:association) or preload(:association)",
        ),
        (&["django"], "Django: select_related() for one, prefetch_related() for many"),
        (
            &["sqlalchemy", "flask", "fastapi"],
            "SQLAlchemy: options(selectinload(…)) or joinedload(…)",
        ),
        (&["hibernate", "spring", "jpa"], "Hibernate: JOIN FETCH, an entity graph, or @BatchSize"),
        (&["laravel", "eloquent"], "Eloquent: with('relation')"),
        (&["ecto", "phoenix"], "Ecto: Repo.preload or preload: in the query"),
        (&["prisma"], "Prisma: include: { relation: true }, or relationLoadStrategy: \"join\""),
        (&["sequelize"], "Sequelize: include: [Model]"),
        (&["typeorm"], "TypeORM: relations: { … } or leftJoinAndSelect"),
        (&["gorm"], "GORM: Preload(\"Relation\")"),
        (&["entity framework", "efcore", "ef core"], "Entity Framework: Include(…)"),
    ];
    known
        .iter()
        .find(|(names, _)| names.iter().any(|name| tag.contains(name)))
        .map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_asks_for_all_values() {
        assert_eq!(
            batched("SELECT a, b FROM t WHERE k = $1 AND id = $10", 1).unwrap(),
            "SELECT a, b FROM t WHERE k = ANY($1) AND id = $10"
        );
        assert_eq!(
            batched("SELECT a FROM t WHERE k = $1 AND id = $2", 2).unwrap(),
            "SELECT a FROM t WHERE k = $1 AND id = ANY($2)"
        );
        for sql in [
            "SELECT a FROM t WHERE k = $1 LIMIT $2",
            "SELECT count(*) FROM t WHERE k = $1",
            "SELECT a FROM t WHERE k > $1",
            "SELECT a FROM t WHERE k = $1 OR l = $1",
        ] {
            assert_eq!(batched(sql, 1), None, "{sql}");
        }
    }

    #[test]
    fn frameworks_are_known_by_their_names() {
        assert!(hint("my-app rails 7").unwrap().contains("preload"));
        assert!(hint("Django").unwrap().contains("select_related"));
        assert_eq!(hint("psql"), None);
    }
}
