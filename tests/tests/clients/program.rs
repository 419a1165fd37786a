//! Programs in other languages: what they need is installed below the target directory once, then they run as processes.
//!
//! Invariant: what is installed belongs to exactly the requirements in its `stamp` file; anything else is installed anew.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::checks::{Outcome, Place};

/// How long one run of a program may take.
const LIMIT: Duration = Duration::from_secs(300);
/// pgjdbc as Debian installs it.
const JDBC: &str = "/usr/share/java/postgresql.jar";

/// The sources of a language's programs.
fn sources(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(language)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of a directory with an extension, sorted.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// Runs a command of an installation to its end.
fn finish(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => missing(&name),
        Err(error) => panic!("{name}: {error}"),
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{out}\n{err}\nWhat it needs: scripts/setup test",
        output.status
    );
    out
}

fn missing(what: &str) -> ! {
    panic!("{what} is not installed; `scripts/setup test` installs what the driver tests need")
}

/// A directory below the target directory in which `install` was done for these requirements, now or before.
fn installed(language: &str, requirements: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let directory = target.join("clients").join(language);
    fs::create_dir_all(&directory).unwrap();
    let lock = File::create(target.join("clients").join(format!("{language}.lock"))).unwrap();
    lock.lock().unwrap(); // until it is dropped: other tests and other test processes wait
    let stamp = directory.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == requirements) {
        return directory;
    }
    fs::remove_dir_all(&directory).unwrap();
    fs::create_dir_all(&directory).unwrap();
    install(&directory);
    fs::write(stamp, requirements).unwrap();
    directory
}

/// Runs a Python program of `tests/clients/python` with the drivers of its `requirements.txt`.
pub(crate) fn python(program: &str, place: &Place) -> Outcome {
    let requirements = sources("python").join("requirements.txt");
    let version = finish(Command::new("python3").arg("--version"));
    let directory = installed("python", &(version + "\n" + &read(&requirements)), |directory| {
        finish(Command::new("python3").args(["-m", "venv"]).arg(directory));
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--requirement",
        ];
        finish(Command::new(directory.join("bin/python")).args(pip).arg(&requirements));
    });
    let mut command = Command::new(directory.join("bin/python"));
    command.arg(sources("python").join(program)).env("PYTHONDONTWRITEBYTECODE", "1");
    run(&mut command, place)
}

/// Runs a program of `tests/clients/node` with the packages of its lock file.
pub(crate) fn node(program: &str, place: &Place) -> Outcome {
    let sources = sources("node");
    let manifests = ["package.json", "package-lock.json"];
    let version = finish(Command::new("node").arg("--version"));
    let programs = files(&sources, "mjs");
    let requirements: String = manifests.iter().map(|name| read(&sources.join(name))).collect();
    // packages are found from where a program lies: programs are copied to their packages
    let all = version + &requirements + &programs.iter().map(|path| read(path)).collect::<String>();
    let directory = installed("node", &all, |directory| {
        for source in manifests.iter().map(|name| sources.join(name)).chain(programs) {
            fs::copy(&source, directory.join(source.file_name().unwrap())).unwrap();
        }
        finish(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(directory),
        );
    });
    run(Command::new("node").arg("--no-warnings").arg(directory.join(program)), place)
}

/// Compiles `tests/clients/java` and runs a class of it with Debian's pgjdbc.
pub(crate) fn java(class: &str, place: &Place) -> Outcome {
    if !Path::new(JDBC).exists() {
        missing(JDBC);
    }
    let programs = files(&sources("java"), "java");
    let version = finish(Command::new("javac").arg("-version"));
    let all = version + &programs.iter().map(|path| read(path)).collect::<String>();
    let directory = installed("java", &all, |directory| {
        let options = ["-Xlint:all", "-Werror", "-encoding", "UTF-8", "-cp", JDBC, "-d"];
        finish(Command::new("javac").args(options).arg(directory).args(&programs));
    });
    let path = format!("{}:{JDBC}", directory.display());
    run(Command::new("java").args(["-Dfile.encoding=UTF-8", "-cp", &path, class]), place)
}

/// Runs a program against a server and reads what it says of its checks.
fn run(command: &mut Command, place: &Place) -> Outcome {
    command
        .env("PGHOST", Place::HOST)
        .env("PGPORT", place.port.to_string())
        .env("PGDATABASE", &place.database);
    command.env("PGUSER", &place.user).env("PGPASSWORD", &place.password);
    command.envs(place.environment.iter().map(|(name, value)| (name, value)));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reading = |source: &mut dyn Read| {
        let mut text = Vec::new();
        source.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    thread::scope(|scope| {
        let out = scope.spawn(move || reading(&mut out));
        let err = scope.spawn(move || reading(&mut err));
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let (out, err) = (out.join().unwrap(), err.join().unwrap());
        let mut outcome = Outcome::of_output(&out);
        let complete = outcome.counts_are(out.lines().last().unwrap_or_default());
        if !complete || status.is_none_or(|status| status.success() != outcome.failed.is_empty()) {
            outcome.failed.push(format!("the program ended with {status:?}\n{out}\n{err}"));
        }
        outcome
    })
}
