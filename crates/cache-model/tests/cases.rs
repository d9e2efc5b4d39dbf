//! Small graphs, each for one case that random graphs rarely show alone.
//!
//! Roots are `r`, `s`, `A`, `B`; a snapshot shows the layers and records that marshalling gives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails"
)]

mod support;

use cache_model::{
    AddError, CacheChains, CacheConfigBuilder, ConfigLayer, ConfigResult, Link, LoadError, MarshalWarning,
    NewResult, RecordDigest, Rule, Timestamp,
};
use support::{Add, add_in_order, again, blob, chains, closed, descriptor, marshal, text, time};

/// Marshals a script by both rules and shows both outcomes.
fn shown(script: &[Add]) -> String {
    let order: Vec<usize> = (0..script.len()).collect();
    shown_in_order(script, &order)
}

fn shown_in_order(script: &[Add], order: &[usize]) -> String {
    let mut chains = CacheChains::new();
    add_in_order(&mut chains, script, order);
    let warnings =
        |list: &[MarshalWarning]| list.iter().map(|w| format!("warning: {w}\n")).collect::<String>();
    let plain = marshal(&chains);
    let closed = marshal(&closed(&chains));
    assert_eq!(text(&again(&closed, true)), text(&closed.config), "closed again it is the same");
    format!(
        "by order\n{}{}closed\n{}{}",
        text(&plain.config),
        warnings(&plain.warnings),
        text(&closed.config),
        warnings(&closed.warnings)
    )
}

#[test]
fn a_record_with_more_inputs_takes_in_one_with_fewer_but_not_the_other_way() {
    let r = Add::new("r", &[]);
    let one = Add::new("x", &[&[(0, "")]]);
    let two = Add::new("x", &[&[(0, "")], &[(0, "")]]);
    insta::assert_snapshot!("fewer_inputs_first", shown(&[r.clone(), one.clone(), two.clone()]));
    insta::assert_snapshot!("more_inputs_first", shown(&[r, two, one]));
}

#[test]
fn records_that_partly_meet_are_one_or_two_by_order_and_one_when_closed() {
    let script = [
        Add::new("A", &[]),
        Add::new("B", &[]),
        Add::new("y", &[&[(0, "")], &[(0, ""), (1, "")]]),
        Add::new("y", &[&[(1, "")], &[(0, "")]]),
        Add::new("y", &[&[(0, ""), (1, "")], &[(1, "")]]),
    ];
    insta::assert_snapshot!("partly_meeting_2_3_4", shown(&script));
    insta::assert_snapshot!("partly_meeting_2_4_3", shown_in_order(&script, &[0, 1, 2, 4, 3]));
}

#[test]
fn sources_that_become_one_leave_two_records_on_it_until_closed() {
    let script = [
        Add::new("r", &[]),
        Add::new("s", &[]),
        Add::new("x", &[&[(0, "")]]),
        Add::new("x", &[&[(1, "")]]),
        Add::new("x", &[&[(0, ""), (1, "")]]),
        Add::new("y", &[&[(2, "")]]),
        Add::new("y", &[&[(3, "")]]),
    ];
    insta::assert_snapshot!("sources_merge_before", shown(&script));
    insta::assert_snapshot!("sources_merge_after", shown_in_order(&script, &[0, 1, 2, 3, 5, 6, 4]));
}

#[test]
fn records_alike_in_everything_keep_the_order_in_which_they_were_added() {
    // Late links from each `u` to the `x` of the other root put the second `x` ahead of the first. Then the sources merge,
    // so that only the `y` that depends on the first `x` tells the two apart.
    let script = [
        Add::new("A", &[]),
        Add::new("B", &[]),
        Add::new("s", &[&[(0, "")]]),
        Add::new("s", &[&[(1, "")]]),
        Add::new("x", &[&[(2, "")]]),
        Add::new("x", &[&[(3, "")]]),
        Add::new("u", &[&[(0, "")]]),
        Add::new("u", &[&[(1, "")]]),
        Add::new("x", &[&[(2, ""), (7, "")]]),
        Add::new("x", &[&[(3, ""), (6, "")]]),
        Add::new("s", &[&[(0, ""), (1, "")]]),
        Add::new("u", &[&[(0, ""), (1, "")]]),
        Add::new("y", &[&[(4, "")]]).with_result(1, &[0]),
        Add::new("y", &[&[(5, "")]]).with_result(1, &[1]),
    ];
    let config = marshal(&chains(&script)).config;
    let on_top: Vec<_> = config.records().filter(|record| record.digest() == &"y".into()).collect();
    let layers: Vec<i32> = on_top.iter().flat_map(|record| record.results()).map(|r| r.layer).collect();
    assert_eq!(layers, [0, 1]);
}

#[test]
fn a_merge_that_would_close_a_cycle_drops_the_link_and_the_record_that_it_empties() {
    let script = [
        Add::new("r1", &[]),
        Add::new("r2", &[]),
        Add::new("x", &[&[(0, "")]]),
        Add::new("x", &[&[(1, "")]]),
        Add::new("w", &[&[(3, "")], &[(0, "")]]),
        Add::new("x", &[&[(0, ""), (4, "")]]),
        Add::new("x", &[&[(0, ""), (1, "")]]),
        Add::new("above w", &[&[(4, "")]]),
    ];
    insta::assert_snapshot!(shown(&script));
}

#[test]
fn a_link_to_the_record_itself_is_dropped() {
    let script = [Add::new("A", &[]), Add::new("x", &[&[(0, "")]]), Add::new("x", &[&[(0, ""), (1, "")]])];
    insta::assert_snapshot!(shown(&script));
}

#[test]
fn a_link_from_a_descendant_is_dropped() {
    let script = [
        Add::new("A", &[]),
        Add::new("x", &[&[(0, "")]]),
        Add::new("y", &[&[(1, "")]]),
        Add::new("z", &[&[(2, "")]]),
        Add::new("x", &[&[(0, ""), (3, "")]]),
    ];
    insta::assert_snapshot!(shown(&script));
}

#[test]
fn one_root_takes_all_results_of_its_digest() {
    let script = [Add::new("r", &[]).with_result(1, &[1]), Add::new("r", &[]).with_result(2, &[2])];
    insta::assert_snapshot!(shown(&script));
}

#[test]
fn of_equal_instants_the_greater_list_of_blobs_is_taken() {
    let script = [
        Add::new("r", &[]).with_result(1, &[1, 3]).with_result(1, &[2]).with_result(1, &[1]),
        Add::new("s", &[]).with_result(1, &[1]).with_result(1, &[1, 0]),
    ];
    insta::assert_snapshot!(shown(&script));
}

#[test]
fn of_two_texts_for_one_instant_the_smaller_is_kept() {
    for order in [[0, 1], [1, 0]] {
        let mut r = Add::new("r", &[]);
        let results = [(3600, 0, vec![(1, 0)]), (3600, 1, vec![(1, 0)])];
        r.results = order.iter().map(|n| results[*n].clone()).collect();
        let marshalled = marshal(&chains(&[r]));
        let written = marshalled.config.record(0).unwrap().results()[0].created_at.to_string();
        assert_eq!(written, time(3600, 0).to_string().min(time(3600, 1).to_string()));
        assert_eq!(time(3600, 0), time(3600, 1));
    }
}

#[test]
fn of_several_descriptors_for_one_blob_the_smallest_text_is_exported() {
    for variants in [[1, 2], [2, 1]] {
        let mut r = Add::new("r", &[]);
        let mut s = Add::new("s", &[]);
        r.results.push((1, 0, vec![(1, variants[0])]));
        s.results.push((1, 0, vec![(1, variants[1]), (2, 0)]));
        let marshalled = marshal(&chains(&[r, s]));
        assert_eq!(marshalled.config.layers().len(), 2, "they are one layer");
        assert_eq!(marshalled.descriptors[0], descriptor(1, 1));
    }
}

#[test]
fn only_the_descriptors_of_exported_results_count() {
    let mut r = Add::new("r", &[]);
    r.results = vec![(1, 0, vec![(1, 1), (2, 0)]), (2, 0, vec![(1, 2)])];
    assert_eq!(marshal(&chains(&[r])).descriptors, [descriptor(1, 2)]);
}

#[test]
fn media_types_are_exported_in_oci_names() {
    let marshalled = marshal(&chains(&[Add::new("r", &[]).with_result(1, &[0, 1, 2])]));
    let types: Vec<&str> = marshalled.descriptors.iter().map(|d| d.media_type.as_str()).collect();
    assert_eq!(
        types,
        [
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/x-unknown"
        ]
    );
}

#[test]
fn a_result_with_an_absent_blob_gives_way_to_the_newest_complete_one() {
    let script = [
        Add::new("older", &[]).with_result(1, &[1]).with_result(2, &[2]).with_result(3, &[2, 4]),
        Add::new("none", &[]).with_result(3, &[4]),
    ];
    let marshalled = chains(&script).marshal(&|digest| *digest != blob(4)).unwrap();
    let warnings: String = marshalled.warnings.iter().map(|warning| format!("{warning}\n")).collect();
    insta::assert_snapshot!(format!("{}{warnings}", text(&marshalled.config)));
}

#[test]
fn a_newest_result_without_layers_gives_the_record_none() {
    let script = [Add::new("r", &[]).with_result(1, &[1]).with_result(2, &[])];
    let marshalled = marshal(&chains(&script));
    assert!(marshalled.config.layers().is_empty());
    assert!(marshalled.warnings.is_empty());
}

#[test]
fn presence_is_asked_once_for_each_blob() {
    let asked = std::cell::RefCell::new(Vec::new());
    let script: Vec<Add> =
        (0..9).map(|n| Add::new(&n.to_string(), &[]).with_result(1, &[1, 2, n % 3])).collect();
    let marshalled = chains(&script).marshal(&|digest| {
        asked.borrow_mut().push(*digest);
        true
    });
    assert_eq!(marshalled.unwrap().warnings, []);
    let mut distinct = asked.borrow().clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), asked.borrow().len());
}

#[test]
fn a_refused_add_leaves_the_chains_unchanged() {
    let mut ours = CacheChains::new();
    let mut foreign = CacheChains::new();
    let r = ours.add(&"r".into(), &[], &[]).unwrap().unwrap();
    let theirs = foreign.add(&"r".into(), &[], &[]).unwrap().unwrap();
    let their_layer = foreign.layer(None, &descriptor(1, 0)).unwrap();
    let our_layer = ours.layer(None, &descriptor(1, 0)).unwrap();
    let before = text(&marshal(&ours).config);
    let link = |source| Link { source, selector: "" };
    let result = NewResult { created_at: Timestamp::ZERO, layer: Some(their_layer) };
    let mut errors = vec![
        ours.add(&"x".into(), &[&[link(r)], &[]], &[]).unwrap_err(),
        ours.add(&"x".into(), &[&[link(theirs)]], &[]).unwrap_err(),
        ours.add(&"x".into(), &[], &[result]).unwrap_err(),
        ours.layer(Some(their_layer), &descriptor(2, 0)).unwrap_err(),
    ];
    let mut larger = descriptor(1, 0);
    larger.size += 1;
    errors.push(ours.layer(Some(our_layer), &larger).unwrap_err());
    assert!(matches!(errors[4], AddError::SizeConflict { known: 2, given: 3, .. }));
    assert_eq!(ours.add(&"random:1".into(), &[&[]], &[]), Ok(None));
    assert_eq!(text(&marshal(&ours).config), before);
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// A config with two good records, changed into one that cannot be loaded.
fn refused(change: impl Fn(&mut CacheConfigBuilder)) -> LoadError {
    let mut builder = CacheConfigBuilder::new();
    builder.layer(ConfigLayer { blob: Some(blob(1)), parent: -1, annotations: None });
    builder.layer(ConfigLayer { blob: Some(blob(2)), parent: 2, annotations: None });
    builder.layer(ConfigLayer { blob: Some(blob(1)), parent: 1, annotations: None });
    builder.layer(ConfigLayer { blob: Some(blob(1)), parent: 9, annotations: None });
    builder.layer(ConfigLayer { blob: Some(blob(1)), parent: -2, annotations: None });
    builder.record("r".into());
    builder.record("random:1".into());
    change(&mut builder);
    let config = builder.finish();
    CacheChains::from_config(&config, &[descriptor(1, 0), descriptor(2, 0)]).unwrap_err()
}

#[test]
fn a_config_that_makes_no_sense_is_refused_and_the_error_says_where() {
    let result = |layer| ConfigResult { layer, created_at: Timestamp::ZERO };
    let with_input = |links: &[i32]| {
        let links = links.to_vec();
        move |b: &mut CacheConfigBuilder| {
            let mut record = b.record("x".into());
            let mut input = record.input();
            for link in &links {
                input.link("", *link);
            }
        }
    };
    let with_result = |layer| {
        move |b: &mut CacheConfigBuilder| {
            b.record("x".into()).result(result(layer));
        }
    };
    let loop_of_two = |b: &mut CacheConfigBuilder| {
        b.record("x".into()).input().link("", 3);
        b.record("y".into()).input().link("", 2);
    };
    let errors = [
        refused(with_input(&[7])),
        refused(with_input(&[-1])),
        refused(with_input(&[2])),
        refused(with_input(&[])),
        refused(with_input(&[0, 1])),
        refused(loop_of_two),
        refused(with_result(5)),
        refused(with_result(-1)),
        refused(with_result(3)),
        refused(with_result(4)),
        refused(with_result(2)),
        refused(|b| {
            b.record("x".into()).chain(&[0, 0, 5], Timestamp::ZERO);
        }),
        refused(|b| {
            b.record("random:2".into()).result(result(7));
        }),
    ];
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_result_whose_layer_the_manifest_does_not_list_is_dropped_with_its_reason() {
    let mut builder = CacheConfigBuilder::new();
    builder.layer(ConfigLayer { blob: Some(blob(1)), parent: -1, annotations: None });
    builder.layer(ConfigLayer { blob: Some(blob(2)), parent: 0, annotations: None });
    builder.layer(ConfigLayer { blob: Some(blob(1)), parent: 1, annotations: None });
    builder.layer(ConfigLayer { blob: None, parent: 77, annotations: None });
    let mut record = builder.record("r".into());
    for layer in 0..4 {
        record.result(ConfigResult::new(layer, time(i64::from(layer), 0)));
    }
    record.chain(&[0, 0, 1, 99], Timestamp::ZERO).chain(&[0, 0], time(9, 0));
    let loaded = CacheChains::from_config(&builder.finish(), &[descriptor(1, 0)]).unwrap();
    let lines: Vec<String> = loaded.dropped.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(format!("{}\n{}", lines.join("\n"), text(&marshal(&loaded.chains).config)));
}

#[test]
fn a_closed_graph_is_the_same_after_more_of_the_same() {
    let script = [Add::new("r", &[]), Add::new("x", &[&[(0, "")]]).with_result(1, &[1])];
    let once = chains(&script);
    let mut twice = once.clone();
    assert_eq!(twice.rule(), Rule::BuildKit);
    twice.unite(&once).unwrap();
    assert_eq!(twice.rule(), Rule::Closed);
    twice.set_rule(Rule::BuildKit);
    assert_eq!(text(&marshal(&twice).config), text(&marshal(&once).config));
    assert_eq!(text(&marshal(&closed(&twice)).config), text(&marshal(&once).config));
}

#[test]
fn uniting_caches_that_disagree_about_a_size_is_refused_whole() {
    let mut a = chains(&[Add::new("r", &[]).with_result(1, &[1])]);
    let mut b = CacheChains::new();
    let mut larger = descriptor(1, 0);
    larger.size += 1;
    let layer = b.layer(None, &larger).unwrap();
    b.add(&RecordDigest::new("s"), &[], &[NewResult { created_at: Timestamp::ZERO, layer: Some(layer) }])
        .unwrap();
    let before = text(&marshal(&a).config);
    b.layers([&descriptor(2, 0)]).unwrap();
    assert!(matches!(a.unite(&b), Err(AddError::SizeConflict { .. })));
    assert_eq!(text(&marshal(&a).config), before);
    assert_eq!(a.blobs().count(), 1);
    // The sizes of the other chains have left no trace.
    let mut other = descriptor(2, 0);
    other.size += 1;
    a.layer(None, &other).unwrap();
}

#[test]
fn only_blobs_of_results_are_asked_for() {
    let mut chains = CacheChains::new();
    let unused = chains.layer(None, &descriptor(1, 0)).unwrap();
    let result = NewResult { created_at: Timestamp::ZERO, layer: Some(unused) };
    chains.add(&"random:1".into(), &[], &[result]).unwrap();
    assert_eq!(chains.blobs().count(), 0);
    chains.add(&"r".into(), &[], &[result]).unwrap();
    assert_eq!(chains.blobs().count(), 1);
}

#[test]
fn one_result_that_comes_several_times_is_one() {
    let mut r = Add::new("r", &[]);
    r.results = vec![(1, 0, vec![(1, 0)]), (1, 1, vec![(1, 1)]), (1, 0, vec![(1, 0)]), (1, 0, vec![(2, 0)])];
    let chains = chains(&[r]);
    let graph = chains.graph().unwrap();
    let results: Vec<_> = graph.at(0).unwrap().results().collect();
    assert_eq!(results.len(), 2, "two lists of blobs of one instant are two results");
    assert_eq!(results[1].created_at().to_string(), time(1, 0).to_string());
}

#[test]
fn a_result_gives_its_layers_upwards_downwards_and_one_by_one() {
    let chains = chains(&[
        Add::new("r", &[]).with_result(1, &[1, 2, 1]),
        Add::new("s", &[]).with_result(1, &[1, 2, 3]),
    ]);
    let graph = chains.graph().unwrap();
    assert_eq!(graph.blobs().count(), 3);
    let mut positions = Vec::new();
    for (record, blobs) in graph.records().zip([[1, 2, 1], [1, 2, 3]]) {
        let result = record.results().next().unwrap();
        let expected = blobs.map(|n| descriptor(n, 0));
        assert_eq!(result.layers(), expected.iter().collect::<Vec<_>>());
        assert_eq!(result.layers_downwards().collect::<Vec<_>>(), expected.iter().rev().collect::<Vec<_>>());
        assert_eq!(result.layers_len(), 3);
        assert_eq!(result.size(), expected.iter().map(|layer| layer.size).sum::<u64>());
        let one_by_one: Vec<_> = std::iter::successors(result.top(), |layer| layer.parent()).collect();
        assert_eq!(
            one_by_one.iter().map(|layer| layer.descriptor()).collect::<Vec<_>>(),
            expected.iter().rev().collect::<Vec<_>>()
        );
        positions.extend(one_by_one.iter().map(|layer| layer.position()));
    }
    assert_eq!(positions[1..3], positions[4..6], "what both results have below their tops is shared");
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 4);
}

#[test]
fn each_layer_of_a_config_has_its_descriptor() {
    let results = [[1, 2, 1], [1, 2, 3]];
    let script = results.map(|layers| Add::new(&format!("{layers:?}"), &[]).with_result(1, &layers));
    let marshalled = marshal(&chains(&script));
    let described: Vec<_> =
        marshalled.layer_descriptors().map(|descriptor| Some(descriptor.digest)).collect();
    let blobs: Vec<_> = marshalled.config.layers().iter().map(|layer| layer.blob).collect();
    assert_eq!(described, blobs);
    assert_eq!((marshalled.descriptors.len(), blobs.len()), (3, 4));
}

#[test]
fn a_record_is_itself_and_no_other_also_of_an_equal_graph() {
    let empty = CacheChains::new();
    assert!(empty.is_empty() && empty.graph().unwrap().is_empty());
    let chains = chains(&[Add::new("r", &[]), Add::new("x", &[&[(0, "")]])]);
    let (graph, same) = (chains.graph().unwrap(), chains.graph().unwrap());
    assert!(!chains.is_empty() && !graph.is_empty());
    let (r, x) = (graph.at(0).unwrap(), graph.at(1).unwrap());
    let source = x.inputs().flatten().next().unwrap().source;
    assert!(source == r && r != x && same.at(0).unwrap() != r);
}

#[test]
fn records_are_one_where_they_share_both_inputs_and_not_where_they_share_either() {
    // Enough records for some hashes to collide. A collision must not change which records are one.
    let side = 24;
    let mut script: Vec<Add> = (0..2 * side).map(|n| Add::new(&format!("root {n}"), &[])).collect();
    for _ in 0..2 {
        script
            .extend((0..side * side).map(|n| Add::new("x", &[&[(n / side, "")], &[(side + n % side, "")]])));
    }
    let chains = chains(&script);
    assert_eq!(chains.graph().unwrap().len(), 2 * side + side * side);
    assert_eq!(closed(&chains).graph().unwrap().len(), 2 * side + side * side);
}

#[test]
fn a_repeated_add_is_the_same_record_even_if_hashes_collide() {
    // Enough links, with enough hash seeds, for the hashes of two links of one input to collide.
    let roots = 30;
    let mut script: Vec<Add> = (0..roots).map(|n| Add::new(&format!("root {n}"), &[])).collect();
    let pairs: Vec<(usize, usize)> = (1..roots).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
    for _ in 0..2 {
        script.extend(
            pairs
                .iter()
                .map(|(a, b)| Add::new(&format!("{a} {b}"), &[&[(0, "")], &[(*a, ""), (*b, "/src")]])),
        );
    }
    let chains = chains(&script);
    for _ in 0..16 {
        assert_eq!(chains.graph().unwrap().len(), roots + pairs.len());
        assert_eq!(closed(&chains).graph().unwrap().len(), roots + pairs.len());
    }
}

#[test]
fn a_united_record_is_found_by_every_link_of_its_parts() {
    // First each pair is united by a source of its own. Then all are united by a source that half of them have. This is
    // repeated, since colliding hashes could unite them by chance.
    let (times, pairs) = (16, 4);
    let mut script: Vec<Add> = (0..=pairs).map(|n| Add::new(&format!("root {n}"), &[])).collect();
    for time in 0..times {
        let digest = format!("x{time}");
        script.extend((1..=pairs).map(|n| Add::new(&digest, &[&[(0, ""), (n, "")]])));
        script.extend((1..=pairs).map(|n| Add::new(&digest, &[&[(n, "")]])));
    }
    let chains = chains(&script);
    assert_eq!(closed(&chains).graph().unwrap().len(), 1 + pairs + times);
    assert_eq!(chains.graph().unwrap().len(), 1 + pairs + times);
}

#[test]
fn merging_into_a_record_with_many_dependents_moves_the_few() {
    // Each merge joins a record with one link to one with thousands; moving the thousands each time would take
    // 4 × 10^7 steps, and as many links.
    let (merges, dependents) = (2_000, 20_000);
    let mut script: Vec<Add> = (0..merges).map(|n| Add::new(&format!("r{n}"), &[])).collect();
    script.extend((0..merges).map(|n| Add::new("x", &[&[(n, "")]])));
    let last = script.len() - 1;
    script.extend((0..dependents).map(|n| Add::new(&format!("d{n}"), &[&[(last, "")]])));
    script.extend((1..merges).rev().map(|n| Add::new("x", &[&[(n, ""), (n - 1, "")]])));
    let chains = chains(&script);
    let graph = chains.graph().unwrap();
    assert_eq!(graph.len(), merges + 1 + dependents);
    assert_eq!(graph.links_len(), merges + dependents);
    assert_eq!(closed(&chains).graph().unwrap().len(), graph.len());
}

#[test]
fn a_class_that_grows_record_by_record_is_not_looked_at_whole_each_time() {
    // Sorting all links of the class at each union would take some 10^9 steps for each shape.
    let records = 20_000;
    let mut script = vec![Add::new("r", &[])];
    script.extend((0..=records).map(|n| Add::new(&format!("s{n}"), &[])));
    let mut star = script.clone();
    star.extend((0..records).map(|n| Add::new("x", &[&[(0, ""), (n + 1, "")], &[(0, "")]])));
    let mut ladder = script.clone();
    ladder.extend((0..records).map(|n| Add::new("x", &[&[(0, ""), (n + 1, "")], &[(0, ""), (n + 2, "")]])));
    // Each record shares one source with the next, and no other.
    let mut path = script.clone();
    path.extend((0..records).map(|n| Add::new("x", &[&[(n + 1, ""), (n + 2, "")]])));
    for script in [star, ladder, path] {
        assert_eq!(closed(&chains(&script)).graph().unwrap().len(), records + 3);
    }
}

#[test]
fn many_records_that_share_one_input_but_not_another_are_closed_one_by_one() {
    // Comparing each record with all that share its first input would take 4 × 10^8 steps.
    let records = 20_000;
    let mut script = vec![Add::new("base", &[])];
    script.extend((0..records).map(|n| Add::new(&format!("file {n}"), &[])));
    script.extend((0..records).map(|n| Add::new("copy", &[&[(0, "")], &[(n + 1, "")]])));
    let chains = chains(&script);
    assert_eq!(closed(&chains).graph().unwrap().len(), script.len());
    assert_eq!(chains.graph().unwrap().len(), script.len());
}

#[test]
fn a_result_that_is_dropped_leaves_no_layers() {
    let mut builder = CacheConfigBuilder::new();
    for n in 0..2 {
        builder.layer(ConfigLayer { blob: Some(blob(n)), parent: i32::from(n) - 1, annotations: None });
    }
    let mut record = builder.record(RecordDigest::new("r"));
    record.result(ConfigResult::new(1, Timestamp::ZERO));
    record.chain(&[0, 1], Timestamp::ZERO);
    let loaded = CacheChains::from_config(&builder.finish(), &[descriptor(0, 0)]).unwrap();
    assert_eq!(loaded.dropped.len(), 2);
    assert_eq!(loaded.chains.all_layers().count(), 0);
}
