//! The files of others, in time that moves only when nobody is busy, and once with what the system really tells.

use super::*;
use crate::flow::{Delivery, Readiness};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A folder, and the source that follows the files in it.
struct Scene {
    folder: TempDir,
    readiness: Readiness,
    deliveries: Receiver<Delivery>,
    changes: Arc<Changes>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Scene {
    /// The system tells of nothing: a test does.
    fn deaf(patterns: &[&str]) -> Self {
        Self::start(patterns, tempfile::tempdir().expect("a folder"), |files| {
            files.search.deaf();
        })
    }

    fn start(patterns: &[&str], folder: TempDir, change: impl FnOnce(&mut Files)) -> Self {
        let patterns: Vec<FilePattern> = patterns
            .iter()
            .map(|pattern| {
                FilePattern::parse(pattern)
                    .expect("a pattern")
                    .within(folder.path())
            })
            .collect();
        let (inbox, deliveries) = Inbox::new();
        let readiness = Readiness::default();
        let mut files = Files::new(&patterns, inbox, Clock::system(), Arc::default());
        change(&mut files);
        let (changes, stop) = (Arc::clone(&files.changes), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(files.run(readiness.latch(), stop.clone()));
        Self {
            folder,
            readiness,
            deliveries,
            changes,
            stop,
            running,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// What a file says, and that it does.
    fn tell(&self, name: &str, text: &str) {
        self.changes.touch(&self.write(name, text));
    }

    /// The next operation that is sighted, and taken in.
    async fn sighted(&mut self) -> String {
        self.sighted_and(Admission::New).await
    }

    /// The next operation that is sighted, of which this becomes.
    async fn sighted_and(&mut self, admission: Admission) -> String {
        let delivery = timeout(Duration::from_hours(3), async {
            loop {
                match self.deliveries.recv().await.expect("a source") {
                    Delivery::Awaited(Input::Sighted(sighting), reply) => {
                        reply.send(admission);
                        return sighting;
                    }
                    Delivery::FirstLook(latch) => drop(latch),
                    other => panic!("{other:?}"),
                }
            }
        });
        let sighting = delivery.await.expect("a sighting");
        assert_eq!(sighting.source, Source::File);
        match sighting.target {
            Target::Operation(id) => id.to_string(),
            Target::Job(id) => panic!("a job {id}"),
        }
    }

    /// Has a new file sighted, and so shows that nothing before it was.
    async fn only_sees(&mut self, name: &str, id: &str) {
        self.tell(name, &written(id));
        assert_eq!(self.sighted().await, id);
    }

    /// Until the first search is over.
    async fn begun(&mut self) {
        while let Some(delivery) = self.deliveries.recv().await {
            if let Delivery::FirstLook(latch) = delivery {
                return drop(latch);
            }
        }
    }
}

fn written(id: &str) -> String {
    format!("{{\n    \"job_id\": \"job\",\n    \"operation_id\": \"{id}\"\n}}\n")
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_there_is_read_before_anything_counts_as_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.json"), written("early")).expect("a file");
    let mut scene = Scene::start(&["*.json"], folder, |_| {});
    assert!(!scene.readiness.is_ready());
    assert_eq!(scene.sighted().await, "early");
    scene.begun().await;
    assert!(scene.readiness.is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_empty_file_waits_and_is_read_once_it_says_something() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.tell("a.json", "");
    scene.tell("other.json", "[]");
    scene.tell("half.json", "{\"operation_id\": \"op");
    scene.only_sees("b.json", "second").await;
    scene.tell("a.json", &written("first"));
    assert_eq!(scene.sighted().await, "first");
}

#[tokio::test(start_paused = true)]
async fn what_no_event_tells_of_is_found_by_the_next_search_and_named_once() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.begun().await;
    let since = Instant::now();
    scene.write("a.json", &written("unheard"));
    assert_eq!(scene.sighted().await, "unheard");
    assert!(since.elapsed() <= RESCAN_INTERVAL, "{:?}", since.elapsed());
    tokio::time::sleep(RESCAN_INTERVAL * 5).await;
    assert!(scene.deliveries.is_empty(), "named again");
}

#[tokio::test(start_paused = true)]
async fn what_there_was_no_room_for_is_named_again_until_there_is() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.begun().await;
    let path = scene.write("a.json", &written("refused"));
    for _ in 0..3 {
        assert_eq!(scene.sighted_and(Admission::Full).await, "refused");
    }
    scene.changes.touch(&path);
    assert_eq!(scene.sighted().await, "refused");
    tokio::time::sleep(RESCAN_INTERVAL * 5).await;
    assert!(scene.deliveries.is_empty(), "named again");
}

#[tokio::test(start_paused = true)]
async fn the_files_of_two_weeks_are_named_again_every_hour_and_older_ones_are_not() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.begun().await;
    let old = File::create(scene.write("old.json", &written("old"))).expect("a file");
    (&old).write_all(written("old").as_bytes()).expect("a file");
    old.set_modified(std::time::UNIX_EPOCH).expect("a time");
    scene.write("new.json", &written("new"));
    assert_eq!(scene.sighted().await, "new");
    assert_eq!(scene.sighted().await, "old");
    for _ in 0..3 {
        let since = Instant::now();
        let again = timeout(NAMING_INTERVAL * 2, scene.sighted()).await;
        assert_eq!(again.expect("named again"), "new");
        assert!(since.elapsed() >= NAMING_INTERVAL / 2, "too often");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_named_again_only_when_it_names_another_operation() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.only_sees("a.json", "first").await;
    scene.tell("a.json", &written("first"));
    scene.only_sees("b.json", "other").await;
    scene.only_sees("a.json", "second").await;
    fs::remove_file(scene.path("a.json")).expect("a file");
    scene.changes.touch(&scene.path("a.json"));
    scene.only_sees("b.json", "another").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_of_the_same_length_that_replaces_another_is_noticed_without_an_event() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.only_sees("a.json", "one").await;
    scene.write("new", &written("two"));
    fs::rename(scene.path("new"), scene.path("a.json")).expect("a file");
    assert_eq!(scene.sighted().await, "two");
}

#[tokio::test(start_paused = true)]
async fn pipes_loops_large_files_and_lost_links_are_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = |name: &str| folder.path().join(name);
    let pipe = inside("pipe.json");
    let fifo = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .expect("mkfifo");
    assert!(fifo.success() && fs::metadata(&pipe).expect("a pipe").file_type().is_fifo());
    let _socket = std::os::unix::net::UnixListener::bind(inside("socket.json")).expect("a socket");
    fs::create_dir(inside("folder.json")).expect("a folder");
    symlink(folder.path(), inside("folder.json/loop")).expect("a link");
    symlink("self.json", inside("self.json")).expect("a link");
    symlink("/nowhere", inside("lost.json")).expect("a link");
    symlink("/dev/zero", inside("zero.json")).expect("a link");
    let large = File::create(inside("large.json")).and_then(|mut file| {
        writeln!(file, "{}", written("large"))?;
        file.set_len(1 << 30)
    });
    large.expect("a file");
    fs::write(inside("target"), written("linked")).expect("a file");
    symlink("target", inside("link.json")).expect("a link");
    let mut scene = Scene::start(&["**/*.json"], folder, |_| {});
    assert_eq!(scene.sighted().await, "linked");
    scene.begun().await;
    for name in ["pipe", "socket", "folder", "self", "lost", "zero", "large"] {
        scene.changes.touch(&scene.path(&format!("{name}.json")));
    }
    scene.only_sees("a.json", "plain").await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_only_root_may_read_stops_nothing() {
    let mut scene = Scene::deaf(&["locked/*.json", "*.json"]);
    let locked = scene.path("locked");
    fs::create_dir(&locked).expect("a folder");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("a folder");
    scene.changes.touch_everything();
    scene.only_sees("a.json", "open").await;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("a folder");
}

#[tokio::test(start_paused = true)]
async fn thousands_of_files_are_all_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..3_000 {
        let path = folder.path().join(format!("{number}.json"));
        fs::write(path, written(&format!("op{number}"))).expect("a file");
    }
    let mut scene = Scene::start(&["*.json", "?.json"], folder, |_| {});
    let mut ids = HashSet::new();
    while ids.len() < 3_000 {
        assert!(ids.insert(scene.sighted().await), "named twice");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_file_is_read_first() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, seconds) in [("a", 20), ("b", 40), ("c", 10), ("d", 30)] {
        let path = folder.path().join(format!("{name}.json"));
        fs::write(&path, written(name)).expect("a file");
        let written_at = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().append(true).open(&path).expect("a file");
        file.set_modified(written_at).expect("a time");
    }
    let mut scene = Scene::start(&["*.json"], folder, |_| {});
    for name in ["b", "d", "a", "c"] {
        assert_eq!(scene.sighted().await, name);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_asked_to() {
    let mut scene = Scene::deaf(&["*.json"]);
    scene.stop.cancel();
    scene
        .running
        .join_next()
        .await
        .expect("a task")
        .expect("a good end");
}

/// How long the system may take to tell of a change, on a machine that is busy with other things; less than the slow
/// search takes to come.
const TOLD_WITHIN: Duration = Duration::from_secs(20);

async fn told(scene: &mut Scene, id: &str) {
    let sighted = timeout(TOLD_WITHIN, scene.sighted());
    assert_eq!(sighted.await.expect("the system tells of it"), id);
}

#[tokio::test]
async fn the_systems_event_has_a_file_read_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::start(&["*.json"], folder, |_| {});
    scene.begun().await;
    let mut file = File::create(scene.path("a.json")).expect("a file");
    scene.write("b.json", &written("whole"));
    told(&mut scene, "whole").await;
    file.write_all(written("opened long before").replace(' ', "").as_bytes())
        .expect("a file");
    drop(file);
    told(&mut scene, "openedlongbefore").await;
    scene.write("c.part", &written("renamed"));
    fs::rename(scene.path("c.part"), scene.path("c.json")).expect("a file");
    told(&mut scene, "renamed").await;
}

#[tokio::test]
async fn a_folder_may_come_later_and_go_and_come_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::start(&["runs/*/deep/*.json"], folder, |_| {});
    scene.begun().await;
    for id in ["first", "second"] {
        let deep = scene.path("runs/monday/deep");
        fs::create_dir_all(&deep).expect("a folder");
        fs::write(deep.join("a.json"), written(id)).expect("a file");
        told(&mut scene, id).await;
        fs::remove_dir_all(scene.path("runs")).expect("a folder");
    }
}

#[tokio::test]
async fn a_folder_stays_watched_when_a_link_that_led_to_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = |name: &str| folder.path().join("runs").join(name);
    // Which of its names a folder is listed by first may follow from which of them came first.
    fs::create_dir_all(inside("monday/deep")).expect("a folder");
    symlink("monday", inside("latest")).expect("a link");
    symlink("tuesday", inside("next")).expect("a link");
    for name in ["tuesday/deep", "friday/deep"] {
        fs::create_dir_all(inside(name)).expect("a folder");
    }
    let mut scene = Scene::start(&["runs/*/deep/*.json"], folder, |_| {});
    scene.begun().await;
    for link in ["latest", "next"] {
        fs::remove_file(scene.path("runs").join(link)).expect("a link");
    }
    // Once this one is told, what follows from the links was seen; no folder may come, which has all watched anew.
    scene.write("runs/friday/deep/a.json", &written("beside"));
    told(&mut scene, "beside").await;
    for name in ["monday", "tuesday"] {
        scene.write(&format!("runs/{name}/deep/a.json"), &written(name));
        told(&mut scene, name).await;
    }
}

/// All by which a file that was written, replaced or set anew, and a folder in which something came and went, is told.
fn traits(path: &std::path::Path) -> impl PartialEq + std::fmt::Debug + use<> {
    let metadata = fs::metadata(path).expect("there");
    let times = (
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    );
    (metadata.ino(), metadata.mode(), metadata.size(), times)
}

#[tokio::test]
async fn a_file_and_its_folder_are_left_as_they_were_and_unlocked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.json");
    fs::write(&path, written("kept")).expect("a file");
    let before = (traits(&path), traits(folder.path()));
    let mut scene = Scene::start(&["*.json"], folder, |_| {});
    assert_eq!(scene.sighted().await, "kept");
    scene.begun().await;
    assert_eq!((traits(&path), traits(scene.folder.path())), before);
    assert_eq!(fs::read_to_string(&path).expect("a file"), written("kept"));
    let names = fs::read_dir(scene.folder.path()).expect("a folder");
    let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["a.json"]);
    let file = File::options().write(true).open(&path).expect("a file");
    file.try_lock().expect("nobody holds it");
}
