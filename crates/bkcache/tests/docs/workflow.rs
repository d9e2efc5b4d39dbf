//! The scripts of a workflow of GitHub Actions or GitLab, in their order.
//!
//! Of a step with `uses`, only its inputs are compared with `action.yml`, and only if it is this repository's action.
//! Conditions are ignored: every script has to work. A job with a matrix runs once for each of its combinations.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Yaml};

use crate::page::root;

type Values = BTreeMap<String, String>;

/// What a step runs.
#[derive(Debug)]
pub struct Script {
    pub text: String,
    pub variables: Values,
    /// The workflow goes on if it fails.
    pub may_fail: bool,
}

/// The scripts of a workflow, or of a part of one. `values` are those of expressions.
pub fn scripts(text: &str, values: &Values) -> Result<Vec<Script>, String> {
    let documents = Yaml::load_from_str(text).map_err(|why| format!("no YAML: {why}"))?;
    let mut scripts = Vec::new();
    for document in &documents {
        if let Some(jobs) = document.as_mapping_get("jobs") {
            for (_, job) in entries(jobs) {
                job_of_github(job, document, values, &mut scripts)?;
            }
        } else if let Some(steps) = document.as_mapping_get("steps") {
            steps_of_github(steps, &Values::new(), values, &mut scripts)?;
        } else if document.as_sequence().is_some() {
            steps_of_github(document, &Values::new(), values, &mut scripts)?;
        } else {
            for (_, job) in entries(document).filter(|(_, job)| job.as_mapping_get("script").is_some()) {
                job_of_gitlab(job, document, &mut scripts);
            }
        }
    }
    Ok(scripts)
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
        check_action(step)?;
        let Some(run) = step.as_mapping_get("run").and_then(Yaml::as_str) else { continue };
        let mut variables = variables.clone();
        variables.extend(environment(step, values)?);
        let folder = step.as_mapping_get("working-directory").and_then(Yaml::as_str);
        let text = folder.map_or_else(|| run.to_owned(), |folder| format!("cd {folder}\n{run}"));
        let may_fail = step.as_mapping_get("continue-on-error").and_then(Yaml::as_bool).unwrap_or(false);
        scripts.push(Script { text: replaced(&text, values)?, variables, may_fail });
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

/// The inputs of this repository's action are those that `action.yml` has.
fn check_action(step: &Yaml<'_>) -> Result<(), String> {
    let uses = step.as_mapping_get("uses").and_then(Yaml::as_str).unwrap_or_default();
    if !uses.starts_with("bkcache/bkcache@") {
        return Ok(());
    }
    let text =
        std::fs::read_to_string(root().join("action.yml")).map_err(|why| format!("action.yml: {why}"))?;
    let action = Yaml::load_from_str(&text).map_err(|why| format!("action.yml: {why}"))?;
    let inputs = action.first().and_then(|action| action.as_mapping_get("inputs"));
    for (input, _) in step.as_mapping_get("with").into_iter().flat_map(entries) {
        if inputs.and_then(|inputs| inputs.as_mapping_get(&input)).is_none() {
            return Err(format!("action.yml has no input {input}"));
        }
    }
    Ok(())
}

/// Variables of GitLab may use other variables, so the script itself exports them.
fn job_of_gitlab(job: &Yaml<'_>, pipeline: &Yaml<'_>, scripts: &mut Vec<Script>) {
    let default = pipeline.as_mapping_get("default").unwrap_or(pipeline);
    let parallel = job.as_mapping_get("parallel").and_then(|parallel| parallel.as_mapping_get("matrix"));
    let matrices: Vec<Option<&Yaml<'_>>> = match parallel.and_then(Yaml::as_sequence) {
        Some(list) => list.iter().map(Some).collect(),
        None => vec![None],
    };
    for combination in matrices.into_iter().flat_map(combinations) {
        let variables = [pipeline, job].into_iter().filter_map(|part| part.as_mapping_get("variables"));
        let variables = variables.flat_map(entries).map(|(key, value)| (key, scalar(value)));
        let exports = variables.chain(combination).map(|(key, value)| format!("export {key}=\"{value}\"\n"));
        let mut text: String = exports.collect();
        for part in ["before_script", "script", "after_script"] {
            let lines = job.as_mapping_get(part).or_else(|| default.as_mapping_get(part));
            for line in lines.into_iter().flat_map(strings) {
                text += line;
                text += "\n";
            }
        }
        let may_fail =
            job.as_mapping_get("allow_failure").is_some_and(|value| value.as_bool() != Some(false));
        scripts.push(Script { text, variables: Values::new(), may_fail });
    }
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
