//! The steps of a build and how they use one another.

use cache_keys::{Definition, DefinitionError, Op, Step, StepInput, StepOutput};

fn steps(inputs: &[&[(usize, usize)]]) -> Vec<Step> {
    let input = |(step, output): &(usize, usize)| StepOutput { step: *step, output: *output };
    let step = |inputs: &&[(usize, usize)]| Step {
        op: Op::End,
        platform: None,
        inputs: inputs.iter().map(input).collect(),
    };
    inputs.iter().map(step).collect()
}

#[test]
fn a_step_comes_after_its_inputs() {
    let error = |inputs| Definition::new(steps(inputs)).unwrap_err();
    assert_eq!(error(&[&[(0, 0)]]), DefinitionError { step: 0, input: 0 });
    assert_eq!(error(&[&[], &[(0, 0), (2, 0)], &[]]), DefinitionError { step: 1, input: 2 });
    let far = error(&[&[], &[(9, 0)]]);
    assert_eq!(far.to_string(), "step 1 takes an output of step 9, which does not come before it");
    assert!(Definition::new(Vec::new()).unwrap().steps().is_empty());
}

#[test]
fn outputs_are_known_by_the_inputs_that_take_them() {
    let definition = Definition::new(steps(&[&[], &[(0, 2), (0, 0)], &[(1, 0), (0, 2)]])).unwrap();
    assert_eq!(definition.outputs(0), [0, 2]);
    assert_eq!(definition.outputs(1), [0]);
    assert!(definition.outputs(2).is_empty() && definition.outputs(7).is_empty());
    let taker = |step, input| StepInput { step, input };
    assert_eq!(definition.takers(0), [taker(1, 0), taker(1, 1), taker(2, 1)]);
    assert_eq!(definition.input(taker(1, 0)), Some(StepOutput { step: 0, output: 2 }));
    assert_eq!(definition.input(taker(1, 2)), None);
    assert!(definition.step(2).is_some() && definition.step(3).is_none());
}
