//! Makes build records, as a builder's history has them: the SLSA v1 predicate with the operations of the build.

use serde_json::{Map, Value, json};

/// The record of a build that grows step by step, and its Dockerfile.
#[derive(Default)]
pub(crate) struct Record {
    steps: Vec<Value>,
    lines: Vec<String>,
    locations: Map<String, Value>,
    dependencies: Vec<Value>,
}

impl Record {
    /// The context of the build.
    pub(crate) fn context(&mut self) -> usize {
        self.push(&[], &json!({"source": {"identifier": "local://context"}}))
    }

    /// An image that the registry resolved to a digest (64 hexadecimal digits).
    pub(crate) fn image(&mut self, name: &str, hex: &str) -> usize {
        self.dependencies.push(json!({"uri": format!("pkg:docker/{name}"), "digest": {"sha256": hex}}));
        let identifier = format!("docker-image://{name}@sha256:{hex}");
        let step = self.push(&[], &json!({"source": {"identifier": identifier}}));
        self.instruction(step, format!("FROM {name}"));
        step
    }

    /// Copies a path of a step's files, onto another step's or onto nothing.
    pub(crate) fn copy(&mut self, onto: Option<usize>, from: usize, path: &str) -> usize {
        let inputs: Vec<usize> = onto.into_iter().chain([from]).collect();
        let action = json!({
            "Action": {"copy": {
                "src": format!("/{path}"), "dest": format!("/{path}"), "mode": -1, "timestamp": -1,
                "followSymlink": true, "dirCopyContents": true, "createDestPath": true,
                "allowWildcard": true, "allowEmptyWildcard": true,
            }},
            "input": if onto.is_some() { 0 } else { -1 },
            "secondaryInput": inputs.len() - 1,
            "output": 0,
        });
        let step = self.push(&inputs, &json!({"file": {"actions": [action]}}));
        self.instruction(step, format!("COPY {path} /{path}"));
        step
    }

    /// Runs a command on a step's files.
    pub(crate) fn run(&mut self, on: usize, command: &str) -> usize {
        let exec = json!({
            "meta": {"args": ["/bin/sh", "-c", command], "env": ["PATH=/usr/bin:/bin"], "cwd": "/"},
            "mounts": [{"dest": "/"}],
        });
        let step = self.push(&[on], &json!({"exec": exec}));
        self.instruction(step, format!("RUN {command}"));
        step
    }

    /// The predicate of a build whose result is that of a step.
    pub(crate) fn predicate(mut self, result: usize) -> Vec<u8> {
        let id = format!("step{}", self.steps.len());
        self.steps.push(json!({"id": id, "inputs": [format!("step{result}:0")], "op": {}}));
        let text = data_encoding::BASE64.encode(self.lines.join("\n").as_bytes());
        let source = json!({
            "infos": [{"filename": "Dockerfile", "language": "Dockerfile", "data": text}],
            "locations": self.locations,
        });
        let predicate = json!({
            "buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "resolvedDependencies": self.dependencies,
                "externalParameters": {"request": {"frontend": "dockerfile.v0"}},
                "internalParameters": {
                    "buildConfig": {"llbDefinition": self.steps, "digestMapping": {}},
                    "builderPlatform": "linux/amd64",
                },
            },
            "runDetails": {"metadata": {"buildkit_metadata": {"source": source}}},
        });
        predicate.to_string().into_bytes()
    }

    fn push(&mut self, inputs: &[usize], op: &Value) -> usize {
        let position = self.steps.len();
        let inputs: Vec<String> = inputs.iter().map(|input| format!("step{input}:0")).collect();
        let platform = json!({"OS": "linux", "Architecture": "amd64"});
        let op = json!({"Op": op, "platform": platform, "constraints": {}});
        self.steps.push(json!({"id": format!("step{position}"), "inputs": inputs, "op": op}));
        position
    }

    fn instruction(&mut self, step: usize, text: String) {
        self.lines.push(text);
        let line = json!({"line": self.lines.len()});
        let ranges = json!([{"start": line, "end": line}]);
        self.locations.insert(format!("step{step}"), json!({"locations": [{"ranges": ranges}]}));
    }
}
