//! The program `howdah up` as a process of its own, whose memory and log can be looked at.

use std::ffi::OsString;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long the program may take until it listens.
const START: Duration = Duration::from_secs(20);

/// A running `howdah up`; killed when dropped.
#[derive(Debug)]
pub struct HowdahProcess {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl HowdahProcess {
    /// Starts the program with a configuration and waits until it listens on `port`.
    ///
    /// # Panics
    /// When there is no program, or it does not listen in time.
    #[must_use]
    pub fn start(configuration: &str, port: u16) -> Self {
        let directory =
            std::env::temp_dir().join(format!("howdah-test-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the configuration");
        let file = directory.join("howdah.toml");
        fs::write(&file, configuration).expect("the configuration is written");
        let child = spawn(&directory, &["up"]);
        let mut process = Self { child, port, directory };
        process.wait_until_it_listens();
        process
    }

    /// Starts another process that takes over from this one, waits until this one has ended, and is the other one from then on.
    ///
    /// # Panics
    /// When the other one does not take over, or this one does not end well.
    pub fn succeed(&mut self) {
        let mut next = spawn(&self.directory, &["up", "--takeover"]);
        let deadline = Instant::now() + START;
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("the state of the program") {
                break status.code();
            }
            let ended = next.try_wait().expect("the state of the program");
            assert!(ended.is_none(), "the other one ended with {ended:?}: {}", self.log());
            assert!(Instant::now() < deadline, "nobody took over: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        };
        self.child = next;
        assert_eq!(code, Some(0), "{}", self.log());
    }

    /// Runs the program with other arguments, the last of which is the name of the configuration file, and waits for its end.
    ///
    /// # Panics
    /// When there is no program.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(arguments).arg(self.configuration_file());
        let environment = environment(&self.directory);
        command.env_clear().envs(environment).output().expect("the program runs")
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("the state of the program");
            assert!(ended.is_none(), "howdah up ended with {ended:?}: {}", self.log());
            assert!(Instant::now() < deadline, "howdah up does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file of its configuration: written again, then [`Self::signal`] with `HUP`, it is reloaded.
    #[must_use]
    pub fn configuration_file(&self) -> PathBuf {
        self.directory.join("howdah.toml")
    }

    /// All it has written.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Lines of the log that are warnings or errors.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let bad =
            |line: &&str| ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word));
        self.log().lines().filter(bad).map(str::to_owned).collect()
    }

    /// Resident memory in KiB.
    ///
    /// # Panics
    /// When the process is gone.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).expect("VmRSS of a running process")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the signal is sent");
    }

    /// Waits until it has ended by itself, and says with which code.
    ///
    /// # Panics
    /// When it does not end within this time.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of the program") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "howdah does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn pid(&self) -> Pid {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        id.expect("the id of a process")
    }
}

impl Drop for HowdahProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Runs a verb of the program with a configuration of its own, and waits for its end. The configuration's file is the last argument.
///
/// # Panics
/// When there is no program.
#[must_use]
pub fn run_verb(directory: &Path, configuration: &str, arguments: &[&str]) -> Output {
    let file = directory.join("verb.toml");
    fs::write(&file, configuration).expect("the configuration is written");
    let mut command = Command::new(program());
    command.args(arguments).arg("--config").arg(file);
    command.env_clear().envs(environment(directory)).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.output().expect("the program runs")
}

/// The environment of every program: nothing of the test's own.
fn environment(directory: &Path) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![("NO_COLOR", "1".into()), ("XDG_RUNTIME_DIR", directory.into())];
    // Many run at once, and there is one usual port, unless the test has one of its own.
    let text = fs::read_to_string(directory.join("howdah.toml"));
    if !text.is_ok_and(|text| text.contains("[web]")) {
        variables.push(("HOWDAH__WEB__LISTEN", "off".into()));
    }
    variables
}

fn spawn(directory: &Path, arguments: &[&str]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log"));
    let log = log.expect("a log file");
    let program = program();
    Command::new(&program)
        .args(arguments)
        .arg("--config")
        .arg(directory.join("howdah.toml"))
        .env_clear()
        .envs(environment(directory))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// The program: `$HOWDAH_BIN`, else the release build, else the debug build, from the target directory of this test.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("HOWDAH_BIN") {
        return named.into();
    }
    let own = std::env::current_exe().expect("the path of the test");
    let target =
        own.ancestors().find(|path| path.join("debug").is_dir() || path.join("release").is_dir());
    let built = |profile: &str| target.map(|target| target.join(profile).join("howdah"));
    let found = ["release", "debug"].into_iter().filter_map(built).find(|path| Path::is_file(path));
    found.unwrap_or_else(|| {
        panic!("no program `howdah` to test: cargo build --release -p howdah-cli, or name one in HOWDAH_BIN")
    })
}
