use std::io::Write;

use super::*;

fn log() -> (tempfile::TempDir, PathBuf, File) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service").join(CURRENT);
    let file = open(&path).unwrap();
    (folder, path, file)
}

async fn lines(log: &Path, tail: usize) -> Vec<String> {
    let query = LogQuery {
        tail,
        follow: false,
    };
    read(log, query)
        .unwrap()
        .map(|line| line.text)
        .collect()
        .await
}

fn fill(file: &mut File, first: u64, length: u64) -> u64 {
    let mut number = first;
    let mut written = 0;
    while written < length {
        let line = format!("{number} {}\n", "x".repeat(1000));
        file.write_all(line.as_bytes()).unwrap();
        written += u64::try_from(line.len()).unwrap();
        number += 1;
    }
    number
}

fn number(line: &str) -> u64 {
    line.split_once(' ').unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn tail_returns_the_newest_lines_and_one_without_an_end() {
    let (_folder, path, mut file) = log();
    file.write_all(b"one\ntwo\nthree").unwrap();
    assert_eq!(lines(&path, 2).await, ["two", "three"]);
    assert_eq!(lines(&path, 9).await, ["one", "two", "three"]);
    assert!(lines(&path, 0).await.is_empty());
}

#[tokio::test]
async fn log_that_does_not_exist_is_empty() {
    assert!(
        lines(Path::new("/nonexistent/current.log"), 5)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn turning_over_keeps_the_writer_and_every_line() {
    let (_folder, path, mut file) = log();
    let next = fill(&mut file, 0, LARGEST);
    turn_over(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    let end = fill(&mut file, next, 5000);
    // In append mode the writer goes on at the new end: no hole is left before it.
    assert!(std::fs::metadata(&path).unwrap().len() < 10_000);
    let all = lines(&path, 1_000_000).await;
    let numbers: Vec<u64> = all.iter().map(|line| number(line)).collect();
    assert_eq!(numbers, (0..end).collect::<Vec<_>>());
}

#[tokio::test]
async fn no_more_than_five_old_logs_are_kept() {
    let (folder, path, mut file) = log();
    let mut next = 0;
    for _ in 0..7 {
        next = fill(&mut file, next, LARGEST);
        turn_over(&path).unwrap();
    }
    assert_eq!(
        std::fs::read_dir(folder.path().join("service"))
            .unwrap()
            .count(),
        6
    );
}

#[tokio::test]
async fn follower_misses_nothing_when_the_log_turns_over() {
    let (_folder, path, mut file) = log();
    let next = fill(&mut file, 0, LARGEST - 100_000);
    let query = LogQuery {
        tail: 1,
        follow: true,
    };
    let mut stream = read(&path, query).unwrap();
    assert_eq!(number(&stream.next().await.unwrap().text), next - 1);
    // All of this is written and turned over before the follower looks again.
    let next_file = fill(&mut file, next, 200_000);
    turn_over(&path).unwrap();
    let end = fill(&mut file, next_file, 5000);
    for expected in next..end {
        let line = tokio::time::timeout(Duration::from_secs(30), stream.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(number(&line.text), expected);
    }
}

#[tokio::test]
async fn a_full_disk_costs_no_old_log_and_room_lets_the_log_turn_over() {
    let (_folder, path, mut file) = log();
    for number in 1..=3 {
        std::fs::write(old(&path, number), format!("{number} old\n")).unwrap();
    }
    fill(&mut file, 100, LARGEST);
    let fresh = path.with_extension("log.new");
    for _ in 0..10 {
        std::os::unix::fs::symlink("/dev/full", &fresh).unwrap();
        let error = turn_over(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(std::fs::symlink_metadata(&fresh).is_err());
    }
    let kept = |number| std::fs::read_to_string(old(&path, number)).unwrap_or_default();
    assert_eq!(
        [kept(1), kept(2), kept(3)],
        ["1 old\n", "2 old\n", "3 old\n"]
    );
    assert!(std::fs::metadata(&path).unwrap().len() >= LARGEST);

    turn_over(&path).unwrap();
    assert_eq!(
        [kept(2), kept(3), kept(4)],
        ["1 old\n", "2 old\n", "3 old\n"]
    );
    // A gap is filled before anything older moves.
    std::fs::remove_file(old(&path, 1)).unwrap();
    fill(&mut file, 100, LARGEST);
    turn_over(&path).unwrap();
    assert_eq!(
        [kept(2), kept(3), kept(4)],
        ["1 old\n", "2 old\n", "3 old\n"]
    );
    assert!(kept(1).starts_with("100 "));
}
