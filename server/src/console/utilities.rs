//! What data utilities take and give as files: the form that plans a run, with its file, and the report, result and history of runs.
//!
//! The rule: who may not launch a utility sends no file into it; a file is read up to what its field allows, and problems lead back to
//! the form with the answers that were given.

use super::{csv, signed_out};
use crate::front::{LARGEST_FORM, is_plain_form};
use app::Fault;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{self, HeaderMap};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use leptos::server_fn::error::{FromServerFnError, ServerFnUrlError};
use leptos::server_fn::redirect::REDIRECT_HEADER;
use multer::{Constraints, Multipart, SizeLimit};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use switchyard::staff::{Member, may};
use switchyard::types::{Cursor, FieldKind, Problem, RunFilter, RunId, RunRow, Timestamp, UtilityAbout, UtilityKind};
use switchyard::utilities::{self, Report};

/// What the errors of the form name; the form's own path goes on with the utility's word.
const PLAN: &str = "/utilities/plan";

/// What was sent.
#[derive(Debug, Default)]
struct Answers {
    /// By the fields' names.
    given: BTreeMap<String, String>,
    /// The file, if the form takes one and one was chosen.
    file: Option<Vec<u8>>,
}

/// `POST /utilities/plan/{kind}`: takes the form of a utility, plans the run, and leads to it.
pub(super) async fn plan(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(kind): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Some(member) = member else { return signed_out(&parts.headers) };
    let is_plain = is_plain_form(&parts.headers);
    let mut answers = Answers::default();
    match planned(&services, &member, &kind, &parts.headers, body, &mut answers).await {
        Ok(run) => lead(is_plain, format!("/utilities/runs/{run}")),
        Err(problem) => refused(&services, is_plain, &kind, &answers, problem),
    }
}

async fn planned(
    services: &Services,
    member: &Member,
    kind: &str,
    headers: &HeaderMap,
    body: Body,
    answers: &mut Answers,
) -> Result<RunId, Problem> {
    let kind: UtilityKind = kind.parse().map_err(|_| Problem::not_found("There is no such utility."))?;
    let about = utilities::about(member, kind)?;
    read(&about, headers, body, answers).await?;
    let (given, file) = (&answers.given, answers.file.as_deref());
    utilities::plan(&services.db, &services.now, member, kind, given, file, services.alone.rows).await
}

/// Reads the form's own fields, the file up to its limit and everything else up to that of a form.
async fn read(about: &UtilityAbout, headers: &HeaderMap, body: Body, answers: &mut Answers) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| not_whole())?;
    let form = LARGEST_FORM as u64;
    let files = about.fields.iter().filter_map(|field| match field.kind {
        FieldKind::File { most, .. } => Some((field.name.as_str(), most)),
        _ => None,
    });
    let whole = files.clone().map(|(_, most)| most).sum::<u64>().saturating_add(form);
    let limits = files.fold(SizeLimit::new().whole_stream(whole).per_field(form), |limits, (name, most)| limits.for_field(name, most));
    let mut sent = Multipart::with_constraints(body.into_data_stream(), boundary, Constraints::new().size_limit(limits));
    while let Some(part) = sent.next_field().await.map_err(|error| too_large(about, &error))? {
        let Some(field) = about.fields.iter().find(|field| part.name() == Some(field.name.as_str())) else { continue };
        let bytes = part.bytes().await.map_err(|error| too_large(about, &error))?;
        if bytes.contains(&0) {
            return Err(Problem::invalid(
                &field.name,
                "This holds a sign that no text has (U+0000). Save it as UTF-8 text, and try again.",
            ));
        }
        if matches!(field.kind, FieldKind::File { .. }) {
            answers.file = (!bytes.is_empty()).then(|| bytes.to_vec());
        } else {
            let text = String::from_utf8(bytes.to_vec()).map_err(|_| not_whole())?;
            answers.given.insert(field.name.clone(), text);
        }
    }
    Ok(())
}

fn not_whole() -> Problem {
    Problem::invalid("", "This form did not arrive whole. Send it again.")
}

/// What was too large, and what the most is.
fn too_large(about: &UtilityAbout, error: &multer::Error) -> Problem {
    let named = match error {
        multer::Error::FieldSizeExceeded { field_name, .. } => field_name.as_deref(),
        multer::Error::StreamSizeExceeded { .. } => {
            return Problem::invalid("", "This form is too large. Choose a smaller file, and send it again.");
        }
        _ => return not_whole(),
    };
    let field = about.fields.iter().find(|field| Some(field.name.as_str()) == named);
    match field.map(|field| (&field.name, &field.kind)) {
        Some((name, FieldKind::File { most, .. })) => Problem::invalid(
            name,
            format!("This file is too large: {} kB are the most. Split it, and take in one part after the other.", most / 1_000),
        ),
        _ => Problem::invalid("", "What was written in this form is too long. Shorten it and send it again."),
    }
}

/// Where a form leads: a browser by itself, a page by its script.
fn lead(is_plain: bool, to: String) -> Response {
    if is_plain {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    }
    let led = [(header::LOCATION, to), (HeaderName::from_static(REDIRECT_HEADER), String::new())];
    (led, [(header::CONTENT_TYPE, "application/json")], "null").into_response()
}

/// The problem where the form shows it, and the answers in the form again. A file has to be chosen anew: no page may choose one.
fn refused(services: &Services, is_plain: bool, kind: &str, answers: &Answers, problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let fault = Fault(problem);
    if !is_plain {
        return (status, [(header::CONTENT_TYPE, "application/json")], fault.ser()).into_response();
    }
    // There is no form to lead back to.
    if matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return (status, format!("{fault}\n")).into_response();
    }
    let words = fault.to_string();
    let form = format!("{}/utilities/new/{kind}", services.public_url);
    match ServerFnUrlError::new(PLAN, fault).to_url(&form) {
        Ok(mut url) => {
            for (name, answer) in &answers.given {
                url.query_pairs_mut().append_pair(name, answer);
            }
            lead(true, format!("{}?{}", url.path(), url.query().unwrap_or_default()))
        }
        Err(_) => (status, format!("{words}\n")).into_response(),
    }
}

fn no_such_run() -> Problem {
    Problem::not_found("There is no such run. The address may be mistyped.")
}

/// `GET /utilities/runs/{id}/report.csv`: what was planned, done and recounted, and what happened.
pub(super) async fn report(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let permit = match csv::permit::<may::SeeRuns>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let Ok(id) = id.parse::<RunId>() else { return csv::in_words(&no_such_run()) };
    match utilities::report(&services.db, &permit, id).await {
        Ok(report) => (csv::named("text/csv", &format!("run-{id}.csv")), lines(&report)).into_response(),
        Err(problem) => csv::in_words(&problem),
    }
}

/// The report as one table: the run, its steps, its events.
fn lines(report: &Report) -> String {
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339).unwrap_or_default();
    let mut text = String::from("kind,what,planned,done,ranges_compared,began_at,ended_at,by\r\n");
    let mut line = |fields: [String; 8]| {
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    };
    let no = String::new;
    line(["run".to_owned(), csv::quoted(&format!("{} ({})", report.summary, report.state.name())), no(), no(), no(), no(), no(), no()]);
    for step in &report.steps {
        line([
            "step".to_owned(),
            csv::quoted(&step.title),
            step.total.to_string(),
            step.done.to_string(),
            step.ranges.to_string(),
            moment(step.began_at),
            moment(step.ended_at),
            no(),
        ]);
    }
    for event in &report.events {
        let by = csv::quoted(event.by.as_deref().unwrap_or_default());
        line([event.kind.as_str().to_owned(), csv::quoted(&event.text), no(), no(), no(), moment(Some(event.at)), no(), by]);
    }
    text
}

/// `GET /utilities/runs/{id}/result.csv`: what came of each record, read piece by piece.
pub(super) async fn result(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let Some(member) = member else { return csv::in_words(&Problem::SignedOut) };
    match first_piece(&services, &member, &id).await {
        Ok((run, name, first)) => {
            let asked = Arc::new((services, member));
            let pieces = stream::try_unfold(Some((first, 1)), move |next| {
                let asked = asked.clone();
                async move {
                    let Some((piece, n)) = next else { return Ok(None) };
                    let following = utilities::result(&asked.0.db, &asked.1, run, n).await?;
                    Ok::<_, Problem>(Some((piece, following.map(|following| (following, n + 1)))))
                }
            });
            csv::in_pages(&name, pieces)
        }
        Err(problem) => csv::in_words(&problem),
    }
}

async fn first_piece(services: &Services, member: &Member, id: &str) -> Result<(RunId, String, String), Problem> {
    let run: RunId = id.parse().map_err(|_| no_such_run())?;
    let none = || Problem::not_found("This run has no result to download.");
    let name = utilities::get(&services.db, &services.now, member, run).await?.result.ok_or_else(none)?;
    let first = utilities::result(&services.db, member, run, 0).await?.ok_or_else(none)?;
    Ok((run, name, first))
}

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    q: String,
    utility: String,
    state: String,
    account: String,
    line: String,
    by: String,
}

/// `GET /utilities/history.csv`.
pub(super) async fn history(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match csv::permit::<may::SeeRuns>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let filter = RunFilter {
        kind: filters.utility.parse().ok(),
        state: filters.state.parse().ok(),
        line: filters.line.parse().ok(),
        account: filters.account.parse().ok(),
        asked_by: filters.by.parse().ok(),
        search: filters.q,
        ..RunFilter::default()
    };
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { utilities::list(&asked.0.db, &asked.1, &asked.2, after.as_ref(), csv::PAGE).await }
    };
    csv::file("runs.csv", "id,utility,what,state,line,done,total,asked_by,asked_at,started_at,ended_at", read, fields)
}

fn fields(run: &RunRow) -> Vec<String> {
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339).unwrap_or_default();
    vec![
        run.id.to_string(),
        run.kind.as_str().to_owned(),
        csv::quoted(&run.summary),
        run.state.as_str().to_owned(),
        csv::quoted(run.line.as_ref().map_or("", |(_, label)| label)),
        run.done.to_string(),
        run.total.to_string(),
        csv::quoted(&run.asked_by.1),
        run.asked_at.rfc3339(),
        moment(run.started_at),
        moment(run.ended_at),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard::types::{FormField, Permission};

    fn about() -> UtilityAbout {
        let field = |name: &str, kind| FormField::new(name, name, "", kind);
        UtilityAbout {
            kind: UtilityKind::ConsentImport,
            name: String::new(),
            does: String::new(),
            notes: Vec::new(),
            permission: Permission::ImportConsent,
            is_reversible: false,
            fields: vec![field("line", FieldKind::Line), field("file", FieldKind::File { most: 2_000, accept: ".csv".into() })],
        }
    }

    async fn sent(parts: &[(&str, &[u8])]) -> Result<Answers, Problem> {
        let mut body = Vec::new();
        for (disposition, bytes) in parts {
            body.extend_from_slice(format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--x--\r\n");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("multipart/form-data; boundary=x"));
        let mut answers = Answers::default();
        read(&about(), &headers, Body::from(body), &mut answers).await.map(|()| answers)
    }

    #[tokio::test]
    async fn a_form_is_read_with_its_file_and_nothing_that_it_does_not_ask_for() {
        let answers =
            sent(&[("name=\"find-line\"", b"0100"), ("name=\"line\"", b"one"), ("name=\"file\"; filename=\"a.csv\"", b"number,state\r\n")])
                .await
                .expect("it is whole");
        assert_eq!(answers.given, BTreeMap::from([("line".to_owned(), "one".to_owned())]));
        assert_eq!(answers.file.as_deref(), Some(b"number,state\r\n".as_slice()));
        let none = sent(&[("name=\"file\"; filename=\"\"", b"")]).await.expect("no file was chosen");
        assert_eq!(none.file, None);
    }

    #[tokio::test]
    async fn what_is_too_large_or_no_text_is_refused_at_its_field() {
        let refused = async |parts: &[(&str, &[u8])]| sent(parts).await.expect_err("it is refused");
        let large = refused(&[("name=\"file\"; filename=\"a.csv\"", &[b'1'; 2_001])]).await;
        assert_eq!(large.field(), Some("file"));
        assert!(large.to_string().contains("2 kB are the most"), "{large}");
        let wide = refused(&[("name=\"file\"; filename=\"a.csv\"", b"n\0u\0")]).await;
        assert_eq!(wide.field(), Some("file"));
        let long = refused(&[("name=\"line\"", &vec![b'1'; LARGEST_FORM + 1])]).await;
        assert!(long.to_string().contains("too long"), "{long}");
        let mut answers = Answers::default();
        assert!(read(&about(), &HeaderMap::new(), Body::from("line=one"), &mut answers).await.is_err());
    }

    #[test]
    fn a_report_is_one_table() {
        let report = Report {
            summary: "Front desk to Acme".into(),
            state: switchyard::types::RunState::Succeeded,
            steps: vec![utilities::ReportStep {
                title: "Messages".into(),
                total: 7,
                done: 8,
                ranges: 1,
                began_at: Some(Timestamp(0)),
                ended_at: None,
            }],
            events: Vec::new(),
        };
        let text = lines(&report);
        assert!(text.lines().all(|line| line.matches(',').count() == 7), "{text}");
        assert!(text.contains("step,\"Messages\",7,8,1,1970-01-01T00:00:00"), "{text}");
    }
}
