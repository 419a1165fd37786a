//! Every rule of the house, applied to this repository. What the rules are, and that each can turn red, is in the crate itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use howdah_tidy::metadata::Metadata;
use howdah_tidy::tree::{Tree, root};
use howdah_tidy::{Finding, documents, layering, licences, rust_files, settings, texts};

static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::tracked(&root()).unwrap());
static MEMBERS: LazyLock<Metadata> = LazyLock::new(|| Metadata::members(&root()).unwrap());
static EVERYTHING: LazyLock<Metadata> = LazyLock::new(|| Metadata::everything(&root()).unwrap());

/// What a failed test prints: the findings alone, without the trace of a panic.
struct Untidy(Vec<Finding>);

impl fmt::Debug for Untidy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} to put right", self.0.len())?;
        self.0.iter().try_for_each(|finding| writeln!(f, "  {finding}"))
    }
}

fn clean(findings: Vec<Finding>) -> Result<(), Untidy> {
    if findings.is_empty() { Ok(()) } else { Err(Untidy(findings)) }
}

/// Directories of the members of the workspace, below the root.
fn directories() -> Vec<String> {
    let root = root();
    let manifests = MEMBERS.packages.iter().map(|package| Path::new(&package.manifest_path));
    manifests
        .map(|manifest| {
            manifest.parent().unwrap().strip_prefix(&root).unwrap().to_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn rooms_know_only_the_rooms_below_them() -> Result<(), Untidy> {
    clean(layering::edges(&MEMBERS))
}

#[test]
fn pure_rooms_reach_no_runtime_socket_or_clock_through_a_package() -> Result<(), Untidy> {
    clean(layering::impurities(&EVERYTHING))
}

#[test]
fn pure_rooms_touch_no_socket_file_or_clock_themselves() -> Result<(), Untidy> {
    clean(rust_files::impurities(&TREE, &layering::pure_directories()))
}

#[test]
fn every_package_has_an_allowed_licence_and_none_is_banned() -> Result<(), Untidy> {
    let policy = licences::Policy::parse(TREE.text("deny.toml").unwrap()).unwrap();
    clean(licences::offenders(&EVERYTHING, &policy))
}

#[test]
fn some_packages_exist_once() -> Result<(), Untidy> {
    clean(settings::single_versions(&TREE).unwrap())
}

#[test]
fn every_rust_file_begins_with_a_head() -> Result<(), Untidy> {
    clean(rust_files::heads(&TREE))
}

#[test]
fn files_are_short_or_say_why_not() -> Result<(), Untidy> {
    clean(rust_files::lengths(&TREE))
}

#[test]
fn names_use_the_words_of_the_glossary() -> Result<(), Untidy> {
    let unwanted = documents::unwanted_words(&TREE);
    assert!(unwanted.len() > 3, "{} has lost its list", documents::GLOSSARY);
    clean(rust_files::names(&TREE, &unwanted))
}

#[test]
fn every_rust_file_is_compiled() -> Result<(), Untidy> {
    clean(rust_files::orphans(&TREE))
}

#[test]
fn no_work_is_left_unfinished() -> Result<(), Untidy> {
    clean(texts::unfinished(&TREE))
}

#[test]
fn no_file_names_a_path_of_one_machine() -> Result<(), Untidy> {
    clean(texts::machine_paths(&TREE))
}

#[test]
fn links_lead_to_known_places_and_to_no_registry() -> Result<(), Untidy> {
    clean(texts::hosts(&TREE))
}

#[test]
fn no_tracked_file_is_huge() -> Result<(), Untidy> {
    clean(texts::sizes(&TREE))
}

#[test]
fn clippy_files_of_crates_repeat_the_root() -> Result<(), Untidy> {
    clean(settings::clippy(&TREE).unwrap())
}

#[test]
fn manifests_inherit_from_the_workspace() -> Result<(), Untidy> {
    clean(settings::manifests(&TREE, &directories()).unwrap())
}

#[test]
fn the_map_names_every_crate() -> Result<(), Untidy> {
    clean(documents::map_of_crates(&TREE, &directories()))
}

#[test]
fn the_change_log_has_an_unreleased_section() -> Result<(), Untidy> {
    clean(documents::change_log(&TREE))
}

#[test]
fn links_between_documents_lead_somewhere() -> Result<(), Untidy> {
    clean(documents::links(&TREE))
}

#[test]
fn paths_in_documents_exist() -> Result<(), Untidy> {
    clean(documents::paths(&TREE))
}

#[test]
fn documents_name_only_commands_that_exist() -> Result<(), Untidy> {
    clean(documents::make_commands(&TREE))
}

#[test]
fn every_configuration_key_is_shown_and_explained() -> Result<(), Untidy> {
    clean(documents::configuration_keys(&TREE))
}

#[test]
fn every_error_code_that_howdah_sends_is_explained() -> Result<(), Untidy> {
    clean(documents::error_codes(
        &TREE,
        &["crates/core/src/", "crates/proxy/src/", "crates/howdah/src/"],
    ))
}
