//! Signing in and out as RingCentral has it: credentials, lifetimes, sessions, revocation.

use super::*;

const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CHATS: &str = "/team-messaging/v1/chats";

impl Bench {
    /// A call with this form and no Basic credentials.
    async fn form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(format!("{}{path}", self.base)).form(form).send().await.unwrap()
    }

    async fn status_with(&self, token: &str) -> u16 {
        self.http.get(format!("{}{CHATS}", self.base)).bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[tokio::test]
async fn revoking_either_token_ends_the_session() {
    let mut bench = Bench::start(SandboxConfig { posts_per_minute: None, ..config() }).await;
    let (first, second) = (bench.sign_in().await, bench.sign_in().await);
    for (session, token) in [(&first, text(&first, "access_token")), (&second, text(&second, "refresh_token"))] {
        let url = format!("{}/restapi/oauth/revoke", bench.base);
        let request = bench.http.post(url).basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET)).form(&[("token", token)]);
        let revoked = request.send().await.unwrap();
        assert_eq!((revoked.status().as_u16(), revoked.text().await.unwrap().as_str()), (200, ""));
        assert_eq!(bench.status_with(text(session, "access_token")).await, 401);
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", text(&first, "refresh_token"))];
    let gone = read(bench.token(&form, DEFAULT_CLIENT_SECRET).await).await;
    assert_eq!((text(&gone, "error"), gone["errors"][0]["errorCode"].as_str()), ("invalid_grant", Some("OAU-213")));
}

#[tokio::test]
async fn an_app_without_a_secret_names_itself_in_the_body() {
    let bench = Bench::start(config()).await;
    bench.sandbox.register_client("public", "", "public-jwt", "800");
    let form = [("grant_type", JWT), ("assertion", "public-jwt"), ("client_id", "public")];
    let info = read(bench.form("/restapi/oauth/token", &form).await).await;
    assert_eq!(info["owner_id"], "800");
    let form = [("grant_type", JWT), ("assertion", DEFAULT_JWT), ("client_id", DEFAULT_CLIENT_ID)];
    let kept = bench.form("/restapi/oauth/token", &form).await;
    assert_eq!(kept.status(), 400, "an app with a secret has to know it");
    assert_eq!(bench.form("/restapi/oauth/token", &[("grant_type", JWT)]).await.status(), 400);
    let wrong_type = bench.http.post(format!("{}/restapi/oauth/token", bench.base)).json(&json!({ "grant_type": JWT }));
    assert_eq!(wrong_type.basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET)).send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn lifetimes_are_as_asked_within_bounds_and_nonsense_is_ignored() {
    let bench = Bench::start(config()).await;
    let asked = async |access: &str, refresh: &str| {
        let form = [("grant_type", JWT), ("assertion", DEFAULT_JWT), ("access_token_ttl", access), ("refresh_token_ttl", refresh)];
        let info = read(bench.token(&form, DEFAULT_CLIENT_SECRET).await).await;
        (info["expires_in"].as_u64().unwrap(), info["refresh_token_expires_in"].as_u64().unwrap())
    };
    assert_eq!(asked("600", "3600").await, (600, 3_600));
    assert_eq!(asked("-1", "604800").await, (3_600, 604_800), "@ringcentral/sdk asks so after a 401");
    bench.post("/sandbox/v1/tokens/ttl", json!({ "seconds": 30, "refresh_seconds": 60 })).await;
    assert_eq!(asked("600", "604800").await, (30, 60));
}

#[tokio::test]
async fn a_user_has_five_sessions_and_five_sign_ins_a_minute() {
    let mut bench = Bench::start(config()).await;
    let first = bench.token.clone();
    for _ in 0..4 {
        bench.sign_in().await;
    }
    assert_eq!(bench.status_with(&first).await, 200);
    let refused = bench.token(&[("grant_type", JWT), ("assertion", DEFAULT_JWT)], DEFAULT_CLIENT_SECRET).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "x-rate-limit-group")), (429, "auth"));
    bench.clock.advance(Duration::from_secs(61));
    bench.sign_in().await;
    assert_eq!(bench.status_with(&first).await, 401, "the oldest of six");
}

#[tokio::test]
async fn a_token_may_stand_in_the_query_and_every_answer_says_how_often_one_may_call() {
    let bench = Bench::start(config()).await;
    let me = format!("{}/restapi/v1.0/account/~/extension/~", bench.base);
    let answer = bench.http.get(format!("{me}?access_token={}", bench.token)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for (name, value) in [("group", "light"), ("limit", "50"), ("remaining", "49"), ("window", "60")] {
        assert_eq!(header(&answer, &format!("x-rate-limit-{name}")), value);
    }
    let with_id = bench.http.get(&me).bearer_auth(&bench.token).header("RCRequestId", "abc").send().await.unwrap();
    assert_eq!(header(&with_id, "rcrequestid"), "abc");
    let unknown = bench.get("/restapi/v1.0/account/~/nothing").await;
    assert!(!header(&unknown, "rcrequestid").is_empty());
    assert_eq!((unknown.status().as_u16(), read(unknown).await["errors"][0]["errorCode"].as_str()), (404, Some("CMN-120")));
    for (scheme, code) in [(None, "OAU-123"), (Some("Digest x"), "OAU-134")] {
        let mut request = bench.http.get(&me);
        if let Some(scheme) = scheme {
            request = request.header("authorization", scheme);
        }
        assert_eq!(read(request.send().await.unwrap()).await["errors"][0]["errorCode"], code);
    }
}

#[tokio::test]
async fn the_limit_of_a_whole_account_says_nothing_of_the_callers_own() {
    let bench = Bench::start(config()).await;
    let fault = What::Status { status: 429, retry_after: None, code: Some("CMN-310".into()) };
    bench.sandbox.arm(Fault::new(On::List, fault)).unwrap();
    let refused = bench.get(CHATS).await;
    assert_eq!((header(&refused, "x-rate-limit-group"), header(&refused, "retry-after")), ("", ""));
    assert_eq!(read(refused).await["errors"][0]["errorCode"], "CMN-310");
}
