//! Every answer and event of the sandbox, held against RingCentral's own API description and samples of events where those are at
//! hand: beside the workspace, or in the folder that `RINGCENTRAL_REFERENCE` names. They are never part of this repository.

use super::subscriptions::Receiver;
use super::*;
use std::io::Write;
use std::path::PathBuf;

/// A file or folder of RingCentral's own; `None`, and loudly so, when it is not at hand.
fn reference(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/ringcentral");
    let path = std::env::var_os("RINGCENTRAL_REFERENCE").map_or(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    // Past the capture of a test's output: who reads a green run must see what it did not run.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: there is no {}; see RINGCENTRAL_REFERENCE ***", path.display());
    None
}

/// RingCentral's description, as far as a test needs it.
pub(super) struct Description(Value);

impl Description {
    pub fn open() -> Option<Self> {
        let mut description = serde_json::from_slice(&std::fs::read(reference("openapi-excerpt.json")?).unwrap()).unwrap();
        as_json_schema(&mut description);
        Some(Self(description))
    }

    /// The path of the description that this one is an instance of.
    fn template(&self, path: &str) -> Option<String> {
        let path = path.split('?').next()?;
        let parts: Vec<_> = path.split('/').collect();
        let fits = |template: &&String| {
            let wanted: Vec<_> = template.split('/').collect();
            wanted.len() == parts.len() && wanted.iter().zip(&parts).all(|(want, part)| want == part || want.starts_with('{'))
        };
        // The one with the fewest names in it: `/recent/chats` before `/{…}/chats`.
        let fitting = self.0["paths"].as_object()?.keys().filter(fits);
        fitting.min_by_key(|template| template.matches('{').count()).cloned()
    }

    /// Fails unless the answer is one that the description has for this call.
    fn hold(&self, method: &Method, path: &str, status: u16, body: &Value) {
        let template = self.template(path).unwrap_or_else(|| panic!("the description has no {path}"));
        let operation = &self.0["paths"][&template][method.as_str().to_lowercase()];
        let mut answer = &operation["responses"][status.to_string()];
        // Refusals that any call can meet are described in one place.
        let usual = match status {
            400 => "InvalidRequest",
            401 | 404 => "NotFound",
            403 => "Forbidden",
            429 => "TooManyRequests",
            _ => "InternalError",
        };
        if let Some(shared) = answer["$ref"].as_str() {
            answer = self.0.pointer(&shared[1..]).unwrap();
        }
        let mut schema = &answer["content"]["application/json"]["schema"];
        if schema.is_null() && status >= 400 {
            schema = &self.0["components"]["responses"][usual]["content"]["application/json"]["schema"];
        } else if answer.is_null() {
            panic!("{method} {template} is not described as answering {status}");
        }
        if schema.is_null() {
            assert!(body.is_null(), "{method} {template} {status} is described without a body: {body}");
            return;
        }
        let wrong = self.wrong(schema, &without_nulls(body));
        assert!(wrong.is_empty(), "{method} {template} {status}\n{}\n{body:#}", wrong.join("\n"));
    }

    /// What is wrong with a value by this schema.
    fn wrong(&self, schema: &Value, value: &Value) -> Vec<String> {
        let whole = json!({ "components": self.0["components"], "allOf": [schema] });
        // OpenAPI 3.0 is nearest to the fourth draft: what stands beside a `$ref` counts for nothing.
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft4).should_validate_formats(true);
        let validator = options.build(&whole).unwrap();
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Fails unless the description has such a request; says which operation it is.
    pub fn hold_request(&self, method: &Method, path: &str, content: &str, body: &[u8]) -> String {
        let template = self.template(path).unwrap_or_else(|| panic!("the description has no {path}"));
        let name = format!("{method} {template}");
        let operation = &self.0["paths"][&template][method.as_str().to_lowercase()];
        assert!(operation.is_object(), "{name} is not described");
        let mut wrong = Vec::new();
        let shared = self.0["paths"][&template]["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<&Value> =
            operation["parameters"].as_array().into_iter().flatten().chain(shared).map(|parameter| self.resolved(parameter)).collect();
        let query = path.split_once('?').map(|(_, query)| query).unwrap_or_default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let found = parameters.iter().find(|parameter| parameter["in"] == "query" && parameter["name"] == key);
            let Some(parameter) = found else {
                wrong.push(format!("no parameter {key}"));
                continue;
            };
            let schema = self.resolved(&parameter["schema"]);
            let value = match schema["type"].as_str() {
                Some("integer") => value.parse::<i64>().map(Value::from).unwrap_or(value.into()),
                Some("boolean") => value.parse::<bool>().map(Value::from).unwrap_or(value.into()),
                Some("array") => json!([value]),
                _ => value.into(),
            };
            wrong.extend(self.wrong(schema, &value));
        }
        let media = &operation["requestBody"]["content"];
        let kind = content.split(';').next().unwrap_or_default();
        match (media.get(kind), body) {
            (None, []) => assert!(operation["requestBody"]["required"] != true, "{name} needs a body"),
            (None, _) => wrong.push(format!("no body of type {kind}")),
            (Some(media), body) => {
                let value: Value = if kind == "application/json" {
                    serde_json::from_slice(body).unwrap()
                } else {
                    let text = std::str::from_utf8(body).unwrap();
                    let fields = text.split('&').filter_map(|pair| pair.split_once('='));
                    // What an address makes of a colon.
                    fields.map(|(key, value)| (key.to_owned(), Value::from(value.replace("%3A", ":")))).collect()
                };
                wrong.extend(self.wrong(&media["schema"], &value));
                self.unknown_names(&media["schema"], &value, "", &mut wrong);
            }
        }
        assert!(wrong.is_empty(), "{name}: {}\n{}", wrong.join("; "), String::from_utf8_lossy(body));
        name
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        value["$ref"].as_str().and_then(|path| self.0.pointer(&path[1..])).unwrap_or(value)
    }

    /// Every property of a schema, also those of what it is made of.
    fn properties<'a>(&'a self, schema: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
        let schema = self.resolved(schema);
        found.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, of)| (name.as_str(), of)));
        for parts in ["allOf", "oneOf", "anyOf"] {
            schema[parts].as_array().into_iter().flatten().for_each(|part| self.properties(part, found));
        }
    }

    /// Names in a value that the schema does not know: a platform that ignores them would not say so.
    fn unknown_names(&self, schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                let mut known = Vec::new();
                self.properties(schema, &mut known);
                for (name, inner) in map {
                    match known.iter().find(|(known, _)| known == name) {
                        Some((_, of)) => self.unknown_names(of, inner, &format!("{place}/{name}"), wrong),
                        None => wrong.push(format!("{place}/{name} is not known")),
                    }
                }
            }
            Value::Array(all) => {
                let items = &self.resolved(schema)["items"];
                all.iter().for_each(|inner| self.unknown_names(items, inner, place, wrong));
            }
            _ => {}
        }
    }
}

/// OpenAPI 3.0 is not quite JSON Schema: `nullable` is a type, and an example is no schema.
fn as_json_schema(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("example");
            map.remove("discriminator");
            if map.remove("nullable") == Some(json!(true))
                && let Some(of) = map.get("type").cloned()
            {
                map.insert("type".into(), json!([of, "null"]));
            }
            map.values_mut().for_each(as_json_schema);
        }
        Value::Array(all) => all.iter_mut().for_each(as_json_schema),
        _ => {}
    }
}

/// The description knows no null; the platform sends it for what has no value. It is held as if it were left out.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().filter(|(_, of)| !of.is_null()).map(|(name, of)| (name.clone(), without_nulls(of))).collect(),
        Value::Array(all) => all.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// A caller that holds every answer against the description.
struct Holder {
    bench: Bench,
    description: Description,
}

impl Holder {
    async fn call(&self, method: Method, path: &str, body: Option<Value>, wanted: u16) -> Value {
        let answer = self.bench.try_call(method.clone(), path, body).await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(status, wanted, "{method} {path}: {text}");
        self.description.hold(&method, path, status, &body);
        body
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None, 200).await
    }

    async fn post(&self, path: &str, body: Value, wanted: u16) -> Value {
        self.call(Method::POST, path, Some(body), wanted).await
    }

    async fn delete(&self, path: &str) {
        self.call(Method::DELETE, path, Some(json!({})), 204).await;
    }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

#[tokio::test]
async fn every_answer_is_as_ringcentral_describes_it() {
    let Some(description) = Description::open() else { return };
    let bench = Bench::start(SandboxConfig { posts_per_minute: Some(200), ..config() }).await;
    let holder = Holder { bench, description };
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", DEFAULT_JWT)];
    for (secret, status) in [(DEFAULT_CLIENT_SECRET, 200), ("another", 400)] {
        let answer = holder.bench.token(&form, secret).await;
        assert_eq!(answer.status(), status);
        holder.description.hold(&Method::POST, "/restapi/oauth/token", status, &read(answer).await);
    }
    holder.get("/restapi/v1.0/account/~/extension/~").await;

    let tm = "/team-messaging/v1";
    let team = holder.post(&format!("{tm}/teams"), json!({ "name": "Ada", "members": [{ "id": "701" }] }), 201).await;
    holder.post(&format!("{tm}/teams"), json!({ "name": "" }), 400).await;
    let group = holder.post(&format!("{tm}/conversations"), json!({ "members": [{ "id": "701" }, { "id": "702" }] }), 201).await;
    holder.post(&format!("{tm}/conversations"), json!({ "members": [{ "id": "701" }, { "id": "702" }] }), 200).await;
    let (chat, of_team) = (format!("{tm}/chats/{}", id(&team)), format!("{tm}/teams/{}", id(&team)));
    let first = holder.post(&format!("{chat}/posts"), json!({ "text": "Ask ![:Person](701)" }), 201).await;
    holder.post(&format!("{chat}/posts"), json!({ "text": "Why?", "parentPostId": first["id"] }), 201).await;
    let file = json!({ "attachments": [{ "id": "1", "type": "File" }] });
    holder.post(&format!("{chat}/posts"), file, 201).await;
    holder.post(&format!("{chat}/posts"), json!({ "text": "" }), 400).await;
    holder.post(&format!("{tm}/chats/1/posts"), json!({ "text": "x" }), 404).await;
    let post = format!("{chat}/posts/{}", id(&first));
    holder.call(Method::PATCH, &post, Some(json!({ "text": "Ask nobody" })), 200).await;
    holder.call(Method::PATCH, &of_team, Some(json!({ "description": "VIP" })), 200).await;
    let list = format!("{chat}/posts?recordCount=1");
    let thread = format!("{chat}/threads/{}/posts", id(&first));
    let conversation = format!("{tm}/conversations/{}", id(&group));
    for path in [&chat, &of_team, &conversation, &list, &thread, &post] {
        holder.get(path).await;
    }
    for path in ["chats?recordCount=1", "teams", "conversations", "recent/chats", "persons/701", "companies/~"] {
        holder.get(&format!("{tm}/{path}")).await;
    }
    holder.bench.sandbox.know_person(Person { id: "404".into(), first_name: None, last_name: None, email: None, known: false });
    holder.call(Method::GET, &format!("{tm}/persons/404"), None, 404).await;
    for (verb, body) in [("add", json!({ "members": [{ "id": "703" }] })), ("remove", json!({ "members": [{ "id": "703" }] }))] {
        holder.post(&format!("{of_team}/{verb}"), body, 204).await;
    }
    holder.post(&format!("{of_team}/archive"), json!({}), 204).await;
    holder.call(Method::PATCH, &of_team, Some(json!({ "name": "x" })), 403).await;
    holder.post(&format!("{of_team}/unarchive"), json!({}), 204).await;

    let receiver = Receiver::start().await;
    let made = holder.post("/restapi/v1.0/subscription", receiver.wish(&["/team-messaging/v1/posts"]), 200).await;
    holder.post("/restapi/v1.0/subscription", json!({ "eventFilters": [] }), 400).await;
    let one = format!("/restapi/v1.0/subscription/{}", id(&made));
    holder.call(Method::PUT, &one, Some(json!({ "eventFilters": ["/team-messaging/v1/posts"] })), 200).await;
    holder.post(&format!("{one}/renew"), json!({}), 200).await;
    holder.bench.sandbox.blacklist(id(&made), "by order").unwrap();
    assert_eq!(holder.get(&one).await["status"], "Blacklisted");
    holder.get("/restapi/v1.0/subscription").await;
    holder.delete(&one).await;
    holder.call(Method::GET, &one, None, 404).await;

    holder.delete(&post).await;
    holder.delete(&of_team).await;
    holder.bench.sandbox.arm(Fault::new(On::List, What::Status { status: 429, retry_after: Some(1), code: None })).unwrap();
    holder.call(Method::GET, &format!("{tm}/chats"), None, 429).await;
}

#[test]
fn a_wrong_answer_is_seen() {
    let Some(description) = Description::open() else { return };
    let right = json!({ "id": "1", "text": "x", "creationTime": "2026-01-01T00:00:00.000Z", "activity": null });
    let with = |name: &str, value: Value| {
        let mut body = right.clone();
        body[name] = value;
        body
    };
    let seen = |status, body: &Value| {
        let hold = || description.hold(&Method::GET, "/team-messaging/v1/chats/1/posts/1", status, body);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(hold)).is_err()
    };
    assert!(!seen(200, &right));
    for (name, value) in [("id", json!(1)), ("creationTime", json!("yesterday")), ("type", json!("Letter")), ("mentions", json!("none"))] {
        assert!(seen(200, &with(name, value)), "{name}");
    }
    assert!(seen(202, &right), "a status that is not described");
    assert!(seen(404, &json!({ "message": "gone" })), "an error without its list");
}

/// An event as the platform's guide prints it, held against one of ours: the same names, and values of the same kinds.
fn same_names(theirs: &Value, ours: &Value, place: &str) {
    let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) else { return };
    for name in theirs.keys() {
        assert!(ours.contains_key(name), "{place}: ours has no {name}");
        same_names(&theirs[name], &ours[name], &format!("{place}.{name}"));
        assert!(
            theirs[name].is_null() || ours[name].is_null() || std::mem::discriminant(&theirs[name]) == std::mem::discriminant(&ours[name]),
            "{place}.{name} is of another kind"
        );
    }
}

#[tokio::test]
async fn events_have_the_names_that_ringcentral_prints() {
    let Some(root) = reference("events") else { return };
    let (bench, receiver) = (Bench::start(SandboxConfig { posts_per_minute: None, ..config() }).await, Receiver::start().await);
    let wish = receiver.wish(&["/team-messaging/v1/posts", "/team-messaging/v1/chats"]);
    assert_eq!(bench.post("/restapi/v1.0/subscription", wish).await.status(), 200);
    let chat = bench.team("Ada").await;
    let post = read(bench.say(&chat, "Hello").await).await;
    let path = format!("/team-messaging/v1/chats/{chat}/posts/{}", id(&post));
    bench.try_call(Method::PATCH, &path, Some(json!({ "text": "Hello :)" }))).await.unwrap();
    bench.try_call(Method::DELETE, &path, None).await.unwrap();
    bench.sandbox.deliver_due().await;
    let events = receiver.events();
    let of = |what: &str| events.iter().find(|event| event["body"]["eventType"] == what).unwrap();
    for (file, ours) in [
        ("post-1.json", of("PostAdded")),
        ("post-2.json", of("PostChanged")),
        ("post-3.json", of("PostRemoved")),
        ("chat-1.json", of("GroupJoined")),
    ] {
        let theirs: Value = serde_json::from_slice(&std::fs::read(root.join(file)).unwrap()).unwrap();
        same_names(&theirs, ours, file);
        if file == "post-3.json" {
            assert_eq!(theirs["body"].as_object().unwrap().len(), ours["body"].as_object().unwrap().len(), "no more than they send");
        }
    }
}
