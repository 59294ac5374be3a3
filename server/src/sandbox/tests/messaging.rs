//! Chats, conversations, teams and their people, and what can be done with a post.

use super::*;

const TM: &str = "/team-messaging/v1";

impl Bench {
    async fn patch(&self, path: &str, body: Value) -> Response {
        self.try_call(Method::PATCH, path, Some(body)).await.unwrap()
    }
}

fn free() -> SandboxConfig {
    SandboxConfig { posts_per_minute: None, ..config() }
}

fn ids(list: &Value) -> Vec<&str> {
    list["records"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_conversation_is_made_once_and_then_opened() {
    let bench = Bench::start(free()).await;
    let team = bench.team("Ada").await;
    let with = json!({ "members": [{ "id": "701" }, { "email": "bob@example.com" }] });
    let made = bench.post(&format!("{TM}/conversations"), with.clone()).await;
    assert_eq!(made.status(), 201);
    let made = read(made).await;
    assert_eq!((made["type"].as_str(), made["members"].as_array().unwrap().len()), (Some("Group"), 3));
    let opened = bench.post(&format!("{TM}/conversations"), with).await;
    assert_eq!((opened.status().as_u16(), read(opened).await["id"].as_str()), (200, made["id"].as_str()));
    let direct = read(bench.post(&format!("{TM}/conversations"), json!({ "members": [{ "id": "701" }] })).await).await;
    assert_eq!(direct["type"], "Direct");
    assert_eq!(bench.post(&format!("{TM}/conversations"), json!({ "members": [] })).await.status(), 400);

    let (group, direct) = (made["id"].as_str().unwrap(), direct["id"].as_str().unwrap());
    assert_eq!(ids(&read(bench.get(&format!("{TM}/conversations")).await).await), [group, direct]);
    assert_eq!(ids(&read(bench.get(&format!("{TM}/teams")).await).await), [team.as_str()]);
    assert_eq!(ids(&read(bench.get(&format!("{TM}/chats?type=Team&type=Direct")).await).await), [team.as_str(), direct]);
    bench.clock.advance(Duration::from_secs(1));
    bench.say(group, "Hello").await;
    assert_eq!(ids(&read(bench.get(&format!("{TM}/recent/chats?recordCount=2")).await).await), [group, direct]);
    assert_eq!(bench.get(&format!("{TM}/conversations/{group}")).await.status(), 200);
    assert_eq!(bench.get(&format!("{TM}/conversations/{team}")).await.status(), 404);
    assert_eq!(bench.get(&format!("/restapi/v1.0/glip/chats/{group}")).await.status(), 200, "the former name");
}

#[tokio::test]
async fn a_team_is_changed_by_its_maker_alone_and_people_come_and_go() {
    let mut bench = Bench::start(free()).await;
    let chat = bench.team("Ada").await;
    let team = format!("{TM}/teams/{chat}");
    let renamed = read(bench.patch(&team, json!({ "name": "Ada L.", "description": "VIP" })).await).await;
    assert_eq!((renamed["name"].as_str(), renamed["description"].as_str()), (Some("Ada L."), Some("VIP")));
    assert_eq!(bench.patch(&team, json!({ "name": " " })).await.status(), 400);
    bench.sandbox.register_client("acme", "secret", "jwt", "701");
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "jwt")];
    let request = bench.http.post(format!("{}/restapi/oauth/token", bench.base)).basic_auth("acme", Some("secret")).form(&form);
    let theirs = read(request.send().await.unwrap()).await["access_token"].as_str().unwrap().to_owned();
    let ours = std::mem::replace(&mut bench.token, theirs.clone());
    assert_eq!(bench.get(&team).await.status(), 404, "not a member");
    bench.token = ours.clone();
    assert_eq!(bench.post(&format!("{team}/add"), json!({ "members": [{ "id": "701" }] })).await.status(), 204);
    bench.token = theirs.clone();
    assert_eq!(bench.get(&team).await.status(), 200);
    assert_eq!(bench.patch(&team, json!({ "name": "Mine" })).await.status(), 403);
    assert_eq!(bench.try_call(Method::DELETE, &team, None).await.unwrap().status(), 403);
    let post = read(bench.say(&chat, "from 701").await).await;
    bench.token = ours;
    let foreign = format!("{TM}/chats/{chat}/posts/{}", post["id"].as_str().unwrap());
    assert_eq!(bench.patch(&foreign, json!({ "text": "no" })).await.status(), 403);
    assert_eq!(bench.post(&format!("{team}/remove"), json!({ "members": [{ "id": "701" }] })).await.status(), 204);
    bench.token = theirs;
    assert_eq!(bench.say(&chat, "still here?").await.status(), 404);
}

#[tokio::test]
async fn a_post_is_edited_mentions_people_and_stands_in_a_thread() {
    let bench = Bench::start(free()).await;
    let chat = bench.team("Ada").await;
    let posts = format!("{TM}/chats/{chat}/posts");
    let first = read(bench.say(&chat, "Ask ![:Person](701)").await).await;
    assert_eq!(first["mentions"][0]["id"], "701");
    assert!(first["attachments"].is_null());
    bench.clock.advance(Duration::from_secs(5));
    let path = format!("{posts}/{}", first["id"].as_str().unwrap());
    let edited = read(bench.patch(&path, json!({ "text": "Ask nobody" })).await).await;
    assert_eq!((edited["text"].as_str(), &edited["mentions"]), (Some("Ask nobody"), &Value::Null));
    assert_ne!(edited["lastModifiedTime"], edited["creationTime"]);
    assert_eq!(bench.patch(&path, json!({ "text": "" })).await.status(), 400);

    let answer = read(bench.post(&posts, json!({ "text": "Why?", "parentPostId": first["id"] })).await).await;
    assert_eq!(answer["threadId"], first["id"]);
    bench.say(&chat, "elsewhere").await;
    let thread = read(bench.get(&format!("{TM}/chats/{chat}/threads/{}/posts", first["id"].as_str().unwrap())).await).await;
    assert_eq!(page_texts(&thread), ["Why?", "Ask nobody"]);
    let card = json!({ "text": "x", "attachments": [{ "id": "1", "type": "AdaptiveCard" }] });
    let refused = read(bench.post(&posts, card).await).await;
    assert_eq!(refused["message"], "Parameter [attachments[0].type] value is invalid");
    let file = read(bench.post(&posts, json!({ "attachments": [{ "id": "1", "type": "File" }] })).await).await;
    assert_eq!((&file["text"], &file["attachments"][0]["type"]), (&Value::Null, &json!("File")), "a text or an attachment is enough");
    assert_eq!(read(bench.post(&posts, json!([])).await).await["errors"][0]["errorCode"], "CMN-103");
}

#[tokio::test]
async fn people_are_found_alone_and_in_bulk_and_some_are_nobody() {
    let bench = Bench::start(free()).await;
    bench.post("/sandbox/v1/people", json!({ "id": "701", "first_name": "Ada", "email": "ada@example.com" })).await;
    bench.post("/sandbox/v1/people", json!({ "id": "404", "email": "gone@example.com", "known": false })).await;
    let ada = read(bench.get(&format!("{TM}/persons/701")).await).await;
    assert_eq!((ada["firstName"].as_str(), ada["email"].as_str()), (Some("Ada"), Some("ada@example.com")));
    assert_eq!(bench.get(&format!("{TM}/persons/404")).await.status(), 404);
    let many = bench.get(&format!("{TM}/persons/701,404")).await;
    assert_eq!((many.status().as_u16(), header(&many, "content-type").starts_with("multipart/mixed")), (207, true));
    let many = many.text().await.unwrap();
    assert!(many.contains("\"status\":404") && many.contains("\"firstName\":\"Ada\""));
    let request = bench.http.get(format!("{}{TM}/persons/701,404", bench.base)).bearer_auth(&bench.token);
    let many = request.header("accept", "application/vnd.ringcentral.multipart+json").send().await.unwrap();
    let many: Value = many.json().await.unwrap();
    assert_eq!((&many[0]["body"]["firstName"], &many[1]["status"]), (&json!("Ada"), &json!(404)));
    assert_eq!(read(bench.get(&format!("{TM}/companies/~")).await).await["id"], "1000000001");

    let team = json!({ "name": "T", "members": [{ "email": "ada@example.com" }] });
    let team = read(bench.post(&format!("{TM}/teams"), team).await).await;
    let chat = read(bench.get(&format!("{TM}/chats/{}", team["id"].as_str().unwrap())).await).await;
    assert_eq!(chat["members"][1]["id"], "701");
    for nobody in [json!({ "id": "404" }), json!({ "email": "gone@example.com" }), json!({})] {
        assert_eq!(bench.post(&format!("{TM}/teams"), json!({ "name": "T", "members": [nobody] })).await.status(), 400);
    }
}
