//! A disk that is full, for the journal: what cannot be recorded is not applied, and what was applied is put back.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use interlock::{
    guard::{Entry, Outcome},
    model::{Slot, Weights},
};

use crate::{
    stage::{BLUE, GREEN, Stage, until},
    traces,
};

/// A small disk of its own under the run store, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, kilobytes: u32) -> Self {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={kilobytes}k,mode=0700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "faults"]).arg(at).output().unwrap();
        let said = String::from_utf8_lossy(&mount.stderr);
        assert!(mount.status.success(), "a tmpfs takes root (CAP_SYS_ADMIN): {said}");
        Self(at.to_owned())
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        fill(&self.0);
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The stage shows what is left in its folder, and this is about to go.
            traces::outputs(&self.0).iter().for_each(|(name, text)| println!("--- {name}\n{text}"));
        }
        let unmounted = Command::new("umount").arg(&self.0).status().is_ok_and(|status| status.success());
        if !unmounted {
            // Somebody still has a file open there; it goes with the last of them.
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
}

fn fill(disk: &Path) {
    let Ok(mut filler) = fs::OpenOptions::new().append(true).create(true).open(disk.join("filler")) else { return };
    for size in [64 * 1024, 4096, 512, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// Runs a case on a stage whose runs are on a disk of this size, and unmounts before the stage is taken down.
fn on_a_small_disk(kilobytes: u32, case: impl FnOnce(&Stage, &SmallDisk)) {
    let stage = Stage::up();
    let disk = SmallDisk::mount(&stage.runs_folder(), kilobytes);
    case(&stage, &disk);
    stage.no_process_but_the_lab();
    drop(disk);
    stage.close();
}

#[test]
fn a_disk_without_room_for_the_way_back_refuses_the_run() {
    on_a_small_disk(128, |stage, _| {
        let done = stage.switch(&[]).wait();
        assert_eq!(done.code, Some(4), "{done:?}");
        assert_eq!((stage.weights(), stage.runs()), (BLUE, vec![]));
        assert!(stage.is_free());
    });
}

#[test]
fn a_disk_that_fills_up_in_the_bake_ends_the_run_on_its_reserve() {
    on_a_small_disk(2048, |stage, disk| {
        let (cli, run) = stage.bake();
        assert_eq!(stage.weights(), GREEN);
        disk.fill();
        let done = cli.wait();
        assert_eq!(done.code, Some(7), "{done:?}");
        assert!(done.out.contains("the journal is full"), "{done:?}");
        assert_eq!(stage.weights(), BLUE);
        disk.make_room();
        stage.is_clean(&run);
    });
}

#[test]
fn a_disk_that_fills_up_before_the_shift_leaves_traffic_where_it_is() {
    on_a_small_disk(2048, |stage, disk| {
        let before = stage.runs();
        let cli = stage.switch(&["--baseline", "3s"]);
        let run = stage.wait_for_run(&before);
        until("it has had a look", || {
            let stored = stage.try_load(&run);
            stored.is_some_and(|s| s.entries.iter().any(|entry| matches!(entry, Entry::Observed { .. })))
        });
        disk.fill();
        let done = cli.wait();
        assert_eq!(done.code, Some(7), "{done:?}");
        assert_eq!(stage.weights(), BLUE);
        let captured = stage.records(&run).iter().any(|record| record.entry.get("captured").is_some());
        assert!(!captured, "nothing was even begun");
        disk.make_room();
        stage.is_clean(&run);
    });
}

#[test]
fn a_disk_that_takes_the_reserve_as_well_is_put_back_once_there_is_room() {
    on_a_small_disk(2048, |stage, disk| {
        let (cli, run) = stage.bake();
        let full = Arc::new(AtomicBool::new(true));
        let (filling, folder) = (full.clone(), stage.runs_folder());
        let filler = std::thread::spawn(move || {
            while filling.load(Ordering::SeqCst) {
                fill(&folder);
            }
        });
        let done = cli.wait();
        println!("without reserve: {:?} {}", done.code, done.err.lines().last().unwrap_or_default());
        let seen = stage.weights();
        std::thread::sleep(Duration::from_secs(2));
        full.store(false, Ordering::SeqCst);
        filler.join().unwrap();
        // Whoever was faster: put back; or left as it was, or put back without room to record that, and then with a word that a
        // person is needed.
        match done.code {
            Some(7) => assert_eq!(seen, BLUE, "{done:?}"),
            Some(5) => assert!(done.out.contains("No space left on device"), "{done:?}"),
            _ => panic!("{done:?}"),
        }
        disk.make_room();
        assert!(matches!(stage.wait_for_end(&run), Outcome::Interrupted { .. }));
        until("traffic is back", || stage.weights() == Weights::all(Slot::Blue));
        // The end may have been the last thing that fitted; then the guardian frees the target.
        until("the target is free", || stage.is_free());
        stage.is_clean(&run);
    });
}
