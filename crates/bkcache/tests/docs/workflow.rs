//! The scripts of a workflow of GitHub Actions or GitLab, in their order.
//!
//! Of a step with `uses`, `docker/build-push-action` becomes the command that it stands for. The inputs of this repository's
//! action are compared with `action.yml`. Other actions are not run. Conditions are ignored: every script has to work. A job
//! with a matrix runs once for each of its combinations.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Yaml};

use crate::page::root;

type Values = BTreeMap<String, String>;

/// What a step runs.
#[derive(Debug)]
pub struct Script {
    pub text: String,
    pub variables: Values,
}

/// The scripts of a page's workflows. The blocks for GitLab are one file together, as their reader pastes them.
#[derive(Debug, Default)]
pub struct Workflows {
    gitlab: String,
}

impl Workflows {
    /// The scripts of the next workflow, or of a part of one. `values` are those of expressions.
    pub fn scripts(&mut self, text: &str, values: &Values) -> Result<Vec<Script>, String> {
        let mut scripts = Vec::new();
        for document in &parsed(text)? {
            if let Some(jobs) = document.as_mapping_get("jobs") {
                for (_, job) in entries(jobs) {
                    job_of_github(job, document, values, &mut scripts)?;
                }
            } else if let Some(steps) = document.as_mapping_get("steps") {
                steps_of_github(steps, &Values::new(), values, &mut scripts)?;
            } else if document.as_sequence().is_some() {
                steps_of_github(document, &Values::new(), values, &mut scripts)?;
            } else {
                self.gitlab += text;
                let pipelines = parsed(&self.gitlab)?;
                let pipeline = pipelines.first().ok_or("an empty pipeline")?;
                for (name, _) in entries(document) {
                    job_of_gitlab(&name, pipeline, &mut scripts).map_err(|why| format!("{name}: {why}"))?;
                }
            }
        }
        Ok(scripts)
    }
}

fn parsed(text: &str) -> Result<Vec<Yaml<'_>>, String> {
    Yaml::load_from_str(text).map_err(|why| format!("no YAML: {why}"))
}

fn job_of_github(
    job: &Yaml<'_>,
    workflow: &Yaml<'_>,
    values: &Values,
    scripts: &mut Vec<Script>,
) -> Result<(), String> {
    let Some(steps) = job.as_mapping_get("steps") else { return Ok(()) };
    let matrix = job.as_mapping_get("strategy").and_then(|strategy| strategy.as_mapping_get("matrix"));
    for combination in combinations(matrix) {
        let mut values = values.clone();
        values.extend(combination.into_iter().map(|(key, value)| (format!("matrix.{key}"), value)));
        let mut variables = environment(workflow, &values)?;
        variables.extend(environment(job, &values)?);
        values.extend(variables.iter().map(|(key, value)| (format!("env.{key}"), value.clone())));
        steps_of_github(steps, &variables, &values, scripts)?;
    }
    Ok(())
}

fn steps_of_github(
    steps: &Yaml<'_>,
    variables: &Values,
    values: &Values,
    scripts: &mut Vec<Script>,
) -> Result<(), String> {
    for step in steps.as_sequence().into_iter().flatten() {
        let build = action(step)?;
        let run = build.as_deref().or_else(|| step.as_mapping_get("run").and_then(Yaml::as_str));
        let Some(run) = run else { continue };
        let mut variables = variables.clone();
        variables.extend(environment(step, values)?);
        let folder = step.as_mapping_get("working-directory").and_then(Yaml::as_str);
        let text = folder.map_or_else(|| run.to_owned(), |folder| format!("cd {folder}\n{run}"));
        scripts.push(Script { text: replaced(&text, values)?, variables });
    }
    Ok(())
}

/// The variables of `env`.
fn environment(part: &Yaml<'_>, values: &Values) -> Result<Values, String> {
    let variables = part.as_mapping_get("env").into_iter().flat_map(entries);
    variables.map(|(key, value)| Ok((key, replaced(&scalar(value), values)?))).collect()
}

/// `${{ … }}` replaced by values.
fn replaced(text: &str, values: &Values) -> Result<String, String> {
    let mut pieces = text.split("${{");
    let mut replaced = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (expression, rest) = piece.split_once("}}").ok_or("`${{` without `}}`")?;
        let expression = expression.trim();
        let value = values.get(expression);
        replaced += value
            .ok_or_else(|| format!("no value for {expression}: add it to the page's .env in tests/docs"))?;
        replaced += rest;
    }
    Ok(replaced)
}

/// The command that an action stands for, if it is one that builds.
fn action(step: &Yaml<'_>) -> Result<Option<String>, String> {
    let uses = step.as_mapping_get("uses").and_then(Yaml::as_str).unwrap_or_default();
    let inputs: Vec<(String, String)> = step
        .as_mapping_get("with")
        .into_iter()
        .flat_map(entries)
        .map(|(input, value)| (input, scalar(value)))
        .collect();
    match uses.split_once('@') {
        Some(("bkcache/bkcache", _)) => check_inputs(&inputs).map(|()| None),
        Some(("docker/build-push-action", _)) => build_command(&inputs).map(Some),
        _ => Ok(None),
    }
}

/// The inputs of this repository's action are those that `action.yml` has.
fn check_inputs(given: &[(String, String)]) -> Result<(), String> {
    let text =
        std::fs::read_to_string(root().join("action.yml")).map_err(|why| format!("action.yml: {why}"))?;
    let action = Yaml::load_from_str(&text).map_err(|why| format!("action.yml: {why}"))?;
    let inputs = action.first().and_then(|action| action.as_mapping_get("inputs"));
    for (input, _) in given {
        if inputs.and_then(|inputs| inputs.as_mapping_get(input)).is_none() {
            return Err(format!("action.yml has no input {input}"));
        }
    }
    Ok(())
}

/// What `docker/build-push-action` runs.
fn build_command(inputs: &[(String, String)]) -> Result<String, String> {
    let mut command = "docker buildx build".to_owned();
    for (input, value) in inputs {
        let option = match input.as_str() {
            "cache-from" | "cache-to" | "provenance" => input,
            "platforms" => "platform",
            "tags" => "tag",
            "push" if value == "true" => {
                command += " --push";
                continue;
            }
            "context" => continue,
            _ => return Err(format!("the input {input} of docker/build-push-action is not known here")),
        };
        command += &format!(" --{option} \"{value}\"");
    }
    let context = inputs.iter().find(|(input, _)| input == "context").ok_or("no context")?;
    Ok(format!("{command} \"{}\"", context.1))
}

/// The scripts of one job. Variables of GitLab may use other variables, so the script itself exports them.
fn job_of_gitlab(name: &str, pipeline: &Yaml<'_>, scripts: &mut Vec<Script>) -> Result<(), String> {
    let Some(job) = pipeline.as_mapping_get(name).filter(|job| job.as_mapping_get("script").is_some()) else {
        return Ok(());
    };
    let template = match job.as_mapping_get("extends").and_then(Yaml::as_str) {
        Some(template) => {
            Some(pipeline.as_mapping_get(template).ok_or_else(|| format!("there is no {template}"))?)
        }
        None => None,
    };
    let value = |key| job.as_mapping_get(key).or_else(|| template.and_then(|it| it.as_mapping_get(key)));
    check_stage(value("stage"), pipeline)?;
    check_needs(job, pipeline)?;
    let parallel = value("parallel").and_then(|parallel| parallel.as_mapping_get("matrix"));
    let matrices: Vec<Option<&Yaml<'_>>> = match parallel.and_then(Yaml::as_sequence) {
        Some(list) => list.iter().map(Some).collect(),
        None => vec![None],
    };
    for combination in matrices.into_iter().flat_map(combinations) {
        let parts = [Some(pipeline), template, Some(job)];
        let variables = parts.into_iter().flatten().filter_map(|part| part.as_mapping_get("variables"));
        let variables = variables.flat_map(entries).map(|(key, value)| (key, scalar(value)));
        let exports = variables.chain(combination).map(|(key, value)| format!("export {key}=\"{value}\"\n"));
        let mut text: String = exports.collect();
        for line in
            ["before_script", "script", "after_script"].into_iter().filter_map(value).flat_map(strings)
        {
            text += line;
            text += "\n";
        }
        scripts.push(Script { text, variables: Values::new() });
    }
    Ok(())
}

/// GitLab refuses a job whose stage is not listed. Without one it is `test`.
fn check_stage(stage: Option<&Yaml<'_>>, pipeline: &Yaml<'_>) -> Result<(), String> {
    let stage = stage.and_then(Yaml::as_str).unwrap_or("test");
    let listed = pipeline.as_mapping_get("stages").map_or_else(|| vec!["build", "test", "deploy"], strings);
    match listed.contains(&stage) || [".pre", ".post"].contains(&stage) {
        true => Ok(()),
        false => Err(format!("its stage {stage} is none of {listed:?}")),
    }
}

/// GitLab refuses a pipeline in which a job needs another that the rules leave out.
fn check_needs(job: &Yaml<'_>, pipeline: &Yaml<'_>) -> Result<(), String> {
    for need in job.as_mapping_get("needs").into_iter().flat_map(strings) {
        let needed =
            pipeline.as_mapping_get(need).ok_or_else(|| format!("it needs {need}, which is no job"))?;
        if needed.as_mapping_get("rules") != job.as_mapping_get("rules") {
            return Err(format!("it needs {need}, which has other rules"));
        }
    }
    Ok(())
}

/// The combinations of a matrix: its lists multiplied. One without values if there is none.
fn combinations(matrix: Option<&Yaml<'_>>) -> Vec<Values> {
    let mut all = vec![Values::new()];
    for (key, list) in matrix.into_iter().flat_map(entries) {
        let choices: Vec<String> = match list.as_sequence() {
            Some(list) => list.iter().map(scalar).collect(),
            None => vec![scalar(list)],
        };
        let with = |values: &Values, choice: &String| {
            let mut values = values.clone();
            values.insert(key.clone(), choice.clone());
            values
        };
        let each = |values: Values| choices.iter().map(|choice| with(&values, choice)).collect::<Vec<_>>();
        all = all.into_iter().flat_map(each).collect();
    }
    all
}

fn entries<'y, 'i>(mapping: &'y Yaml<'i>) -> impl Iterator<Item = (String, &'y Yaml<'i>)> {
    mapping.as_mapping().into_iter().flatten().map(|(key, value)| (scalar(key), value))
}

fn strings<'y>(lines: &'y Yaml<'_>) -> Vec<&'y str> {
    match lines.as_sequence() {
        Some(list) => list.iter().filter_map(Yaml::as_str).collect(),
        None => lines.as_str().into_iter().collect(),
    }
}

fn scalar(value: &Yaml<'_>) -> String {
    let text = value.as_str().map(str::to_owned);
    let number = || value.as_integer().map(|number| number.to_string());
    let flag = || value.as_bool().map(|flag| flag.to_string());
    text.or_else(number).or_else(flag).unwrap_or_default()
}
