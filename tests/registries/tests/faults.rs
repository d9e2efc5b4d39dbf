//! Every fault does what it says, to the request that it is set for and to no other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::{Duration, Instant, SystemTime};

use test_registries::{Answer, Client, Fault, On, Registry, Response, Server, SlowProxy, sha256};

const BLOB: &[u8] = b"0123456789";

struct Scene {
    server: Server<Registry>,
    client: Client,
    target: String,
}

async fn scene() -> Scene {
    let server = Server::start(Registry::default()).await;
    let target = format!("/v2/a/blobs/{}", server.service.content.insert_blob("a", BLOB));
    let client = Client::new(&server.host()).within(1 << 20, Duration::from_millis(400));
    Scene { server, client, target }
}

/// What becomes of a GET of the blob under a fault. The next one is whole again, in every case.
async fn get(fault: Fault) -> std::io::Result<Response> {
    let Scene { server, client, target } = scene().await;
    server.fault(On::new("GET", "/blobs/"), fault);
    let outcome = client.get(&target).await;
    let next = client.get(&target).await.unwrap();
    assert_eq!((next.status, next.body.as_ref(), next.whole), (200, BLOB, true));
    outcome
}

#[tokio::test]
async fn a_connection_is_cut_in_each_phase_of_an_answer() {
    assert!(get(Fault::CutBeforeStatus).await.is_err());
    assert!(get(Fault::LoseAnswer).await.is_err());
    assert!(get(Fault::CutInHeaders).await.is_err());
    let cut = get(Fault::CutBody(4)).await.unwrap();
    assert_eq!((cut.body.as_ref(), cut.whole, cut.header("Content-Length")), (&BLOB[..4], false, Some("10")));
}

#[tokio::test]
async fn a_request_is_cut_while_it_is_read_and_what_came_counts() {
    let Scene { server, client, .. } = scene().await;
    let begun = client.send("POST", "/v2/a/blobs/uploads/", b"").await.unwrap();
    let location = begun.header("Location").unwrap();
    server.fault(On::new("PATCH", "/uploads/"), Fault::CutRequestBody(6));
    assert!(client.send("PATCH", location, BLOB).await.is_err());
    assert_eq!(server.seen_with("PATCH", "")[0].received, 6);
    assert_eq!(
        client.get(location).await.unwrap().header("Range"),
        Some("0-5"),
        "the upload goes on from there"
    );
}

#[tokio::test]
async fn an_answer_is_lost_after_the_work_is_done_or_before() {
    let Scene { server, client, .. } = scene().await;
    let digest = sha256(b"new");
    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    server.fault(On::new("POST", ""), Fault::CutBeforeStatus);
    assert!(client.send("POST", &target, b"new").await.is_err());
    assert!(server.service.content.blob("a", &digest).is_none());
    server.fault(On::new("POST", ""), Fault::LoseAnswer);
    assert!(client.send("POST", &target, b"new").await.is_err());
    assert!(server.service.content.blob("a", &digest).is_some());
}

#[tokio::test]
async fn an_answer_before_the_body_is_readable_though_the_body_never_is() {
    let Scene { server, client, .. } = scene().await;
    let body = vec![0; 8 << 20];
    server.fault(On::new("POST", ""), Fault::AnswerEarly(Answer::error(403, "DENIED", "no")));
    let denied = client.send("POST", "/v2/a/blobs/uploads/?digest=sha256:0", &body).await.unwrap();
    assert_eq!((denied.status, denied.whole), (403, true));
    assert_eq!(server.seen()[0].received, 0);
}

#[tokio::test]
async fn a_body_is_changed_or_of_another_length() {
    let flipped = get(Fault::FlipByte(3)).await.unwrap();
    assert_eq!((flipped.body.as_ref(), flipped.whole), (&b"0122456789"[..], true));
    let short = get(Fault::Shorten(3)).await.unwrap();
    assert_eq!(
        (short.body.as_ref(), short.whole, short.header("Content-Length")),
        (&BLOB[..7], true, Some("7"))
    );
    let long = get(Fault::Lengthen(2)).await.unwrap();
    assert_eq!((long.body.as_ref(), long.header("Content-Length")), (&b"0123456789  "[..], Some("12")));
    let over = get(Fault::Overrun(3)).await.unwrap();
    assert_eq!((over.body.as_ref(), over.rest.as_ref()), (BLOB, &b"+++"[..]));
    let chunked = get(Fault::Chunked).await.unwrap();
    assert_eq!((chunked.body.as_ref(), chunked.whole, chunked.header("Content-Length")), (BLOB, true, None));
}

#[tokio::test]
async fn an_answer_stalls_trickles_or_never_comes() {
    let stalled = get(Fault::StallBody(4)).await.unwrap();
    assert_eq!((stalled.body.as_ref(), stalled.whole), (&BLOB[..4], false));
    let trickled = get(Fault::Trickle(Duration::from_millis(150))).await.unwrap();
    assert!((1..5).contains(&trickled.body.len()), "{trickled:?}");
    let start = Instant::now();
    assert!(get(Fault::Silence).await.is_err());
    assert!(start.elapsed() >= Duration::from_millis(400), "it was the client that gave up");
    let start = Instant::now();
    assert!(get(Fault::Delay(Duration::from_millis(100))).await.unwrap().whole);
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_body_is_made_on_the_fly_and_the_server_remembers_how_much_was_taken() {
    for length in [Some(1 << 30), None] {
        let Scene { server, client, target } = scene().await;
        server.fault(On::new("GET", ""), Fault::Endless(length));
        let endless = client.get(&target).await.unwrap();
        assert!(endless.body.starts_with(b"0123456789   ") && !endless.whole);
        assert_eq!(
            endless.header("Content-Length").map(str::to_owned),
            length.map(|length| length.to_string())
        );
        while server.seen()[0].sent == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(server.seen()[0].sent < 100 << 20, "it stopped when the client did");
    }
    let whole = get(Fault::Endless(Some(1000))).await.unwrap();
    assert_eq!((whole.body.len(), whole.whole), (1000, true));
}

#[tokio::test]
async fn a_status_comes_in_a_burst_and_says_when_to_come_back() {
    let Scene { server, client, target } = scene().await;
    server.fault(On::new("GET", "/blobs/").nth(2).times(3), Fault::status(503));
    server.fault(On::any("/v2/").nth(6), Fault::too_many("7"));
    server.fault(On::new("HEAD", "/blobs/").always(), Fault::status(500));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(client.get(&target).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 503, 503, 503, 200, 429]);
    assert_eq!(server.seen().iter().filter_map(|seen| seen.status).collect::<Vec<_>>(), statuses);
    server.fault(On::any("").always(), Fault::too_many_until(SystemTime::UNIX_EPOCH));
    let refused = client.get(&target).await.unwrap();
    assert_eq!(refused.header("Retry-After"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    server.heal();
    assert_eq!(client.get(&target).await.unwrap().status, 200);
}

#[tokio::test]
async fn header_fields_are_missing_or_wrong() {
    let lacking = get(Fault::Header("Docker-Content-Digest", None)).await.unwrap();
    assert_eq!(lacking.header("Docker-Content-Digest"), None);
    let wrong = get(Fault::Header("Docker-Content-Digest", Some("sha256:00".to_owned()))).await.unwrap();
    assert_eq!(wrong.header("Docker-Content-Digest"), Some("sha256:00"));

    let Scene { server, client, target } = scene().await;
    let ranged = client.with("Range", "bytes=5-");
    server.fault(On::new("GET", ""), Fault::Header("Content-Range", Some("bytes 6-9/10".to_owned())));
    server.fault(On::new("GET", "").nth(2), Fault::IgnoreRange);
    let wrong = ranged.get(&target).await.unwrap();
    assert_eq!((wrong.status, wrong.header("Content-Range")), (206, Some("bytes 6-9/10")));
    let all = ranged.get(&target).await.unwrap();
    assert_eq!((all.status, all.body.as_ref()), (200, BLOB));
    assert_eq!(server.seen()[1].header("range"), Some("bytes=5-"), "what was asked is remembered");
}

#[tokio::test]
async fn a_proxy_delays_each_request_once_and_counts() {
    let Scene { server, target, .. } = scene().await;
    let delay = Duration::from_millis(50);
    let proxy = SlowProxy::start(server.address(), delay).await;
    let client = Client::new(&proxy.host());
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(client.get(&target).await.unwrap().body, BLOB);
    }
    let upload = format!("/v2/a/blobs/uploads/?digest={}", sha256(&vec![7; 4 << 20]));
    assert_eq!(client.send("POST", &upload, &vec![7; 4 << 20]).await.unwrap().status, 201);
    let took = start.elapsed();
    assert!(took >= 4 * delay && took < 4 * delay + Duration::from_secs(1), "{took:?}");
    assert_eq!((proxy.requests(), proxy.connections()), (4, 4));
}

#[tokio::test]
async fn a_proxy_cuts_one_connection_each_way() {
    let Scene { server, target, .. } = scene().await;
    let proxy = SlowProxy::start(server.address(), Duration::ZERO).await;
    let client = Client::new(&proxy.host()).within(64 << 20, Duration::from_secs(5));
    let large = format!("/v2/a/blobs/{}", server.service.content.insert_blob("a", vec![7; 8 << 20]));
    proxy.cut_download(100_000);
    assert!(!client.get(&large).await.unwrap().whole);
    assert!(client.get(&large).await.unwrap().whole && client.get(&target).await.unwrap().whole);
    let body = vec![0; 8 << 20];
    proxy.cut_upload(100_000);
    assert!(client.send("POST", "/v2/a/blobs/uploads/", &body).await.is_err());
    assert!(server.seen_with("POST", "").iter().all(|seen| seen.status.is_none()));
    assert_eq!(client.send("POST", "/v2/a/blobs/uploads/", &body).await.unwrap().status, 202);
}

/// Requests on one connection are one each, however the bytes fall.
#[tokio::test]
async fn a_proxy_tells_requests_of_one_connection_apart() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Scene { server, .. } = scene().await;
    let proxy = SlowProxy::start(server.address(), Duration::from_millis(1)).await;
    let mut stream = tokio::net::TcpStream::connect(proxy.host()).await.unwrap();
    for _ in 0..5 {
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(b"\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"{}") {
            stream.read_buf(&mut answer).await.unwrap();
        }
    }
    assert_eq!((proxy.requests(), proxy.connections(), server.seen().len()), (5, 1, 5));
}
