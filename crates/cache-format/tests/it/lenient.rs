//! Reading as Go reads: oddities that are accepted, errors that are not, and deep nesting.

use cache_format::{FormatErrorKind, ManifestOrIndex, decode_config, decode_record_line, encode_config};

/// Checks that the text of a config is read, and written as `want`.
fn check(text: impl AsRef<[u8]>, want: &str) {
    let text = text.as_ref();
    let config = decode_config(text).unwrap_or_else(|e| panic!("{}: {e}", text.escape_ascii()));
    assert_eq!(String::from_utf8(encode_config(&config)).unwrap(), want, "{}", text.escape_ascii());
}

/// Checks that the text of a config is refused with an error of this kind.
fn refused(text: impl AsRef<[u8]>, kind: FormatErrorKind) {
    let text = text.as_ref();
    let error = decode_config(text).expect_err(&text.escape_ascii().to_string());
    assert_eq!(error.kind(), kind, "{error}");
}

#[test]
fn null_means_absent_and_unknown_members_are_skipped() {
    check("{}", "{}");
    check(" {\n} ", "{}");
    check("null", "{}");
    check(r#"{"layers":null,"records":null}"#, "{}");
    check(r#"{"layers":[],"records":[],"version":[{"x":1e999}]}"#, "{}");
    check(
        r#"{"layers":[null,{"blob":null},{"blob":"","parent":null,"annotations":null}]}"#,
        r#"{"layers":[{},{},{}]}"#,
    );
    check(
        r#"{"records":[null,{"digest":null,"inputs":null,"layers":null,"chains":null}]}"#,
        r#"{"records":[{},{}]}"#,
    );
    check(
        r#"{"records":[{"layers":[{},null]}]}"#,
        &zero_times(r#"{"records":[{"layers":[{"layer":0,T},{"layer":0,T}]}]}"#),
    );
    check(
        r#"{"records":[{"layers":[{"createdAt":null}]}]}"#,
        &zero_times(r#"{"records":[{"layers":[{"layer":0,T}]}]}"#),
    );
    check(
        r#"{"records":[{"chains":[null,{"layers":null}]}]}"#,
        &zero_times(r#"{"records":[{"chains":[{"layers":[],T},{"layers":[],T}]}]}"#),
    );
    check(
        r#"{"records":[{"inputs":[[],null,[null],[{"selector":null}]]}]}"#,
        r#"{"records":[{"inputs":[[],[],[{"link":0}],[{"link":0}]]}]}"#,
    );
    check(r#"{"Layers":[1],"RECORDS":2}"#, "{}");
}

fn zero_times(text: &str) -> String {
    text.replace(",T", r#","createdAt":"0001-01-01T00:00:00Z""#)
}

#[test]
fn members_may_come_in_any_order_and_under_escapes() {
    check(
        r#"{"records":[{"inputs":[[{"link":0,"selector":"a"}]],"digest":"d","layers":[{"createdAt":"2026-01-02T03:04:05.10+01:00","layer":1}]}],"layers":[{"parent":-1}]}"#,
        r#"{"layers":[{"parent":-1}],"records":[{"layers":[{"layer":1,"createdAt":"2026-01-02T03:04:05.1+01:00"}],"digest":"d","inputs":[[{"selector":"a","link":0}]]}]}"#,
    );
    check(
        r#"{"\u0072ecords":[{"digest":"\u003c\/\ud83d\ude00"}]}"#,
        r#"{"records":[{"digest":"\u003c/😀"}]}"#,
    );
}

#[test]
fn numbers_are_whole_and_fit() {
    check(
        r#"{"layers":[{"parent":-0},{"parent":2147483647},{"parent":-2147483648}]}"#,
        r#"{"layers":[{},{"parent":2147483647},{"parent":-2147483648}]}"#,
    );
    for number in [
        "2147483648",
        "-2147483649",
        "18446744073709551615",
        "1e30",
        "99999999999999999999999",
        "0.0",
        "1.5",
        "-1.5",
        "1e2",
        "\"1\"",
        "true",
        "[]",
    ] {
        refused(format!(r#"{{"layers":[{{"parent":{number}}}]}}"#), FormatErrorKind::Invalid);
    }
    for number in ["01", "+1", ".5", "1e999", "NaN", "0x1"] {
        refused(format!(r#"{{"layers":[{{"parent":{number}}}]}}"#), FormatErrorKind::Syntax);
    }
}

#[test]
fn text_that_is_not_unicode_is_mended_as_go_does() {
    check(
        b"{\"records\":[{\"digest\":\"a\xff\xf0\x9fb\",\"\xff\":\"\xff\"}]}",
        r#"{"records":[{"digest":"a���b"}]}"#,
    );
    check(r#"{"records":[{"digest":"\ud800\ud83d\ude00\udfff"}]}"#, r#"{"records":[{"digest":"�😀�"}]}"#);
    check(r#"{"records":[{"digest":"a","x":"\ud800"}]}"#, r#"{"records":[{"digest":"a"}]}"#);
    refused(b"{\"records\":[]}\xff", FormatErrorKind::Syntax);
    refused(b"\xef\xbb\xbf{}", FormatErrorKind::Syntax);
}

#[test]
fn a_known_member_given_twice_is_refused_and_an_unknown_one_is_not() {
    check(r#"{"x":1,"x":2}"#, "{}");
    for text in [
        r#"{"layers":[],"layers":[]}"#,
        r#"{"records":[],"records":[]}"#,
        r#"{"records":[{"digest":"a","digest":"a"}]}"#,
        r#"{"records":[{"inputs":[[{"link":0,"link":0}]]}]}"#,
        r#"{"records":[{"inputs":[[{"selector":"a","link":0,"selector":"a"}]]}]}"#,
    ] {
        refused(text, FormatErrorKind::Invalid);
    }
}

#[test]
fn text_after_the_end_or_cut_short_is_a_syntax_error() {
    let text =
        r#"{"layers":[{"parent":-1}],"records":[{"digest":"é","inputs":[[{"link":0}]],"x":{"y":[1]}}]}"#;
    check(text, r#"{"layers":[{"parent":-1}],"records":[{"digest":"é","inputs":[[{"link":0}]]}]}"#);
    for length in 0..text.len() {
        refused(&text.as_bytes()[..length], FormatErrorKind::Syntax);
    }
    for more in ["x", "{}", ",", "\0"] {
        refused(format!("{text}{more}"), FormatErrorKind::Syntax);
    }
}

#[test]
fn an_error_says_which_document_it_is_about_and_which_entry() {
    let about = |text: &str| {
        let error = decode_config(text.as_bytes()).unwrap_err();
        (error.document().to_owned(), error.place().map(str::to_owned))
    };
    let config = "cache config".to_owned();
    assert_eq!(about(r#"{"records":[{},{"digest":1}]}"#), (config.clone(), Some("record 1".to_owned())));
    assert_eq!(about(r#"{"records":[{},{}],"layers":1}"#), (config.clone(), None));
    assert_eq!(about(r#"{"records":[{},{}]} x"#), (config, None));
}

#[test]
fn no_nesting_is_too_deep() {
    let deep = "[".repeat(1_000_000);
    let braces = r#"{"a":"#.repeat(1_000_000);
    let closed = format!(r#"{{"x":{deep}{}}}"#, "]".repeat(1_000_000));
    check(&closed, "{}");
    for text in [
        deep.clone(),
        braces,
        format!(r#"{{"x":{deep}"#),
        format!(r#"{{"records":{deep}"#),
        format!(r#"{{"layers":[{{"blob":{deep}"#),
    ] {
        assert!(decode_config(text.as_bytes()).is_err());
        assert!(ManifestOrIndex::decode(text.as_bytes()).is_err());
        assert!(decode_record_line(text.as_bytes()).is_err());
    }
}

#[test]
fn a_message_stays_on_one_short_line_whatever_it_quotes() {
    for long in ["a\\n".repeat(100_000), "é".repeat(100_000), "7".repeat(100_000)] {
        for text in [format!(r#"{{"layers":[{{"blob":"{long}"}}]}}"#), format!(r#"{{"layers":"{long}"}}"#)] {
            let message = decode_config(text.as_bytes()).unwrap_err().to_string();
            assert!(message.len() < 800 && !message.contains('\n'), "{message}");
        }
    }
}

#[test]
fn members_that_a_manifest_does_not_know_are_skipped_also_in_its_descriptors_and_platforms() {
    let index = |[of_index, of_entry, of_platform]: [&str; 3]| {
        let platform = format!(r#"{{"architecture":"arm","os":"linux"{of_platform}}}"#);
        let digest = format!("sha256:{}", "00".repeat(32));
        let entry =
            format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":0,"platform":{platform}{of_entry}}}"#);
        format!(r#"{{"schemaVersion":2,"manifests":[{entry}]{of_index}}}"#)
    };
    let document =
        ManifestOrIndex::decode(index([r#","x":1"#, r#","y":[2]"#, r#","z":{}"#]).as_bytes()).unwrap();
    assert_eq!(String::from_utf8(document.encode()).unwrap(), index([""; 3]));
}

#[test]
fn a_null_list_of_a_manifest_is_an_empty_one() {
    let document =
        |text: &str| ManifestOrIndex::decode(text.as_bytes()).map(|d| String::from_utf8(d.encode()).unwrap());
    assert_eq!(
        document(r#"{"schemaVersion":2,"manifests":null}"#).unwrap(),
        r#"{"schemaVersion":2,"manifests":[]}"#
    );
    let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json""#;
    assert_eq!(document(&format!("{index}}}")).unwrap(), format!(r#"{index},"manifests":[]}}"#));
    let hex = "00".repeat(32);
    let config = format!(r#""config":{{"mediaType":"a/b","digest":"sha256:{hex}","size":0}}"#);
    assert_eq!(
        document(&format!(r#"{{"schemaVersion":2,"mediaType":"x/y","layers":null,"subject":null,{config},"annotations":{{"k":null}}}}"#)).unwrap(),
        format!(r#"{{"schemaVersion":2,"mediaType":"x/y",{config},"layers":[],"annotations":{{"k":""}}}}"#)
    );
}
