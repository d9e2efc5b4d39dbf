//! `bkcache why` on builds with known truth: for each pair of builds, its JSON is what BuildKit did and what was changed.
#![cfg(unix)]

use std::path::Path;

use serde_json::{Value, json};
use tests::why::WhyCase;

use crate::support::bkcache;

/// A build, the older build that its truth speaks of, and that truth.
struct Pair {
    new: WhyCase,
    old: WhyCase,
    truth: Value,
}

/// What the program is given besides the older cache and the records of both builds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Given {
    /// The newer cache.
    Caches,
    /// The newer cache and the folders of both builds.
    CachesAndFolders,
    /// The newer folder.
    NewFolder,
    /// The folders of both builds.
    Folders,
}

impl Pair {
    fn all() -> Vec<Self> {
        let pairs = WhyCase::all().into_iter().filter_map(|new| {
            let (old, truth) = (new.older()?, new.truth["against"].clone());
            Some(Self { new, old, truth })
        });
        let pairs: Vec<Self> = pairs.collect();
        assert_eq!(pairs.len(), 32);
        pairs
    }

    /// What the program answers from the two caches alone, in JSON.
    fn why_of_caches(&self) -> Value {
        let (new, old) = (self.new.cache_folder(), self.old.cache_folder());
        bkcache(["why", "--json", new.to_str().unwrap(), "--was", old.to_str().unwrap()]).ok().json()
    }

    /// What the program answers, in JSON.
    fn why(&self, given: Given) -> Value {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let record = |case: &WhyCase| text(&case.folder.join("provenance.json"));
        let mut args = vec!["why".to_owned(), "--json".to_owned(), "--show-values".to_owned()];
        args.extend(["--was".to_owned(), text(&self.old.cache_folder())]);
        args.extend(["--record".to_owned(), record(&self.new), "--was-record".to_owned(), record(&self.old)]);
        if matches!(given, Given::Caches | Given::CachesAndFolders) {
            args.push(text(&self.new.cache_folder()));
        }
        let sides = [("--context", &self.new), ("--was-context", &self.old)];
        let folders = match given {
            Given::Caches => &[],
            Given::NewFolder => &sides[..1],
            Given::CachesAndFolders | Given::Folders => &sides[..],
        };
        for (option, case) in folders {
            for (name, folder) in case.contexts() {
                args.extend([(*option).to_owned(), format!("{name}={}", text(&folder))]);
            }
        }
        bkcache(args).ok().json()
    }
}

/// How many of what was compared is right.
#[derive(Debug, Default)]
struct Score {
    steps: usize,
    right_steps: usize,
    unknown_steps: usize,
    answers: usize,
    right_answers: usize,
    wrong: Vec<String>,
}

impl Score {
    fn steps(&mut self, name: &str, answer: &Value, truth: &Value) {
        let key = |step: &Value| (step["platform"].clone(), step["step"].clone());
        let of = |step: &Value| json!([step["line"], step["instruction"], step["cached"]]);
        let (answers, truths) = (answer["steps"].as_array().unwrap(), truth["steps"].as_array().unwrap());
        let answers: Vec<&Value> = answers.iter().filter(|step| step["always"] != true).collect();
        assert_eq!(answers.len(), truths.iter().filter(|step| step["always"] != true).count(), "{name}");
        for truth in truths.iter().filter(|step| step["always"] != true) {
            let answer = answers.iter().find(|answer| key(answer) == key(truth));
            let answer = answer.unwrap_or_else(|| panic!("{name}: no {truth}"));
            self.steps += 1;
            if answer["cached"].is_null() {
                self.unknown_steps += 1;
            } else if of(answer) == of(truth) {
                self.right_steps += 1;
            } else {
                self.wrong.push(format!("{name}: {answer} is not {truth}"));
            }
        }
    }

    fn answer(&mut self, name: &str, answer: &Value, truth: &Value) {
        self.answers += 1;
        if answer == truth {
            self.right_answers += 1;
        } else {
            self.wrong.push(format!("{name}:\n  answer {answer}\n  truth  {truth}"));
        }
    }
}

/// The members of causes or notes that the truth has.
fn as_truth(answers: &Value) -> Value {
    let known =
        ["platform", "kind", "line", "instruction", "follow", "files", "changes", "declared", "ignore"];
    let only = |answer: &Value| {
        let members = answer.as_object().unwrap().iter();
        members
            .filter(|(key, _)| known.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    };
    answers.as_array().unwrap().iter().map(only).map(Value::Object).collect()
}

/// The causes of a truth as they are to be answered; with the older folder, the files that only it tells.
fn expected_causes(truth: &Value, has_old_folder: bool) -> Value {
    let mut causes = truth["causes"].clone();
    for cause in causes.as_array_mut().unwrap() {
        let told = cause.as_object_mut().unwrap().remove("files_with_old_context");
        if let Some(files) = told.filter(|_| has_old_folder) {
            cause["files"] = files;
        }
    }
    causes
}

/// Takes from the steps that follow those of which an answer says that only building tells.
fn settle_followers(answers: &Value, causes: &mut Value) {
    for (answer, cause) in answers.as_array().unwrap().iter().zip(causes.as_array_mut().unwrap()) {
        let [follow, may_follow, all] = [&answer["follow"], &answer["may_follow"], &cause["follow"]]
            .map(|number| number.as_u64().unwrap_or(0));
        if (follow..=follow + may_follow).contains(&all) {
            cause["follow"] = json!(follow);
        }
    }
}

fn check(given: Given) -> Score {
    let mut score = Score::default();
    for pair in Pair::all() {
        let (name, answer) = (format!("{} ({given:?})", pair.new.name), pair.why(given));
        score.steps(&name, &answer, &pair.truth);
        let has_old_folder = matches!(given, Given::CachesAndFolders | Given::Folders);
        let mut expected = expected_causes(&pair.truth, has_old_folder);
        settle_followers(&answer["causes"], &mut expected);
        score.answer(&name, &as_truth(&answer["causes"]), &expected);
        if matches!(given, Given::Caches | Given::CachesAndFolders) {
            assert_eq!(answer["cached"], pair.truth["cached"], "{name}");
            assert_eq!(answer["ran"], pair.truth["ran"], "{name}");
            score.answer(&name, &as_truth(&answer["notes"]), &pair.truth["notes"]);
        }
    }
    println!(
        "{given:?}: {} of {} steps right, {} unknown, {} of {} causes and notes right",
        score.right_steps, score.steps, score.unknown_steps, score.right_answers, score.answers
    );
    score
}

#[test]
fn with_both_caches_every_step_and_cause_is_right() {
    for given in [Given::Caches, Given::CachesAndFolders] {
        let score = check(given);
        assert!(score.wrong.is_empty(), "{}", score.wrong.join("\n"));
        assert_eq!(score.unknown_steps, 0);
    }
}

#[test]
fn before_building_every_cause_is_right_and_what_is_not_unknown_too() {
    for given in [Given::NewFolder, Given::Folders] {
        let score = check(given);
        assert!(score.wrong.is_empty(), "{}", score.wrong.join("\n"));
        assert!(score.unknown_steps * 2 < score.steps, "{} of {}", score.unknown_steps, score.steps);
    }
}

#[test]
fn two_caches_alone_tell_the_steps_and_what_kind_each_cause_has() {
    let (mut causes, mut files) = (0, 0);
    for pair in Pair::all() {
        let (name, answer, truth) = (&pair.new.name, pair.why_of_caches(), &pair.truth);
        assert_eq!([&answer["cached"], &answer["ran"]], [&truth["cached"], &truth["ran"]], "{name}");
        // Without a record there are no instructions, so what changed in one is not known.
        let kind = |cause: &Value| match cause["kind"].as_str().unwrap() {
            "content" => "content",
            "base" => "base",
            "platform" if cause["instruction"].as_str().unwrap().starts_with("FROM") => "base",
            _ => "definition",
        };
        let mut expected: Vec<Value> =
            truth["causes"].as_array().unwrap().iter().map(|it| json!([kind(it), it["follow"]])).collect();
        let answers = answer["causes"].as_array().unwrap();
        let mut found: Vec<Value> = answers.iter().map(|it| json!([it["kind"], it["follow"]])).collect();
        expected.sort_by_key(Value::to_string);
        found.sort_by_key(Value::to_string);
        assert_eq!(found, expected, "{name}");
        causes += found.len();
        files += answers.iter().filter(|it| it["files"].is_array()).count();
    }
    println!("two caches alone: {causes} causes, {files} of them with files");
    assert_eq!((causes, files), (24, 11));
}
