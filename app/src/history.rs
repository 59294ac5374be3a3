//! The audit in words, as a person reads it.
//!
//! The rule: every action has a sentence here; a test looks for the actions in the services.

use serde::{Deserialize, Serialize};
use switchyard::types::Timestamp;

#[cfg(feature = "ssr")]
use {
    serde_json::Value,
    switchyard::types::{AuditRow, ConsentState, EntryState, FindingKind, IntegrationType, Permission, counted},
};

/// A change in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done.
    pub text: String,
    /// What it was before, where that says something.
    pub before: Option<String>,
    /// What it is since, where that says something.
    pub after: Option<String>,
}

/// What was done, what it was before, and what it is since.
#[cfg(feature = "ssr")]
type Words = (String, Option<String>, Option<String>);

/// An entry of the audit.
#[cfg(feature = "ssr")]
pub(crate) fn in_words(row: AuditRow) -> HistoryRow {
    let parse = |json: Option<String>| json.and_then(|json| serde_json::from_str::<Value>(&json).ok()).unwrap_or_default();
    let (before, after) = (parse(row.before), parse(row.after));
    // A newer program may have written what this one does not know.
    let (text, before, after) =
        sentence(&row.action, &before, &after).unwrap_or_else(|| (row.action.replace(['.', '_'], " "), fields(&before), fields(&after)));
    HistoryRow { at: row.at, actor: row.actor, text, before, after }
}

/// What a filter calls an action: its words without the names of one entry.
#[cfg(feature = "ssr")]
pub(crate) fn action_name(action: &str) -> String {
    let (subject, verb) = action.split_once('.').unwrap_or((action, ""));
    let mut name = format!("{subject}: {}", verb.replace('_', " "));
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

/// A sentence for each action; `None` for one that this program does not know.
#[cfg(feature = "ssr")]
fn sentence(action: &str, before: &Value, after: &Value) -> Option<Words> {
    of_directory(action, before, after).or_else(|| of_messages(action, before, after)).or_else(|| of_house(action, before, after))
}

/// What is done with accounts, their lines, people and contacts.
#[cfg(feature = "ssr")]
fn of_directory(action: &str, before: &Value, after: &Value) -> Option<Words> {
    Some(match action {
        "account.edit" => ("Changed the account".to_owned(), account_in_words(before), account_in_words(after)),
        "account.close" => {
            let blasts = after.get("blasts_paused").and_then(Value::as_i64).filter(|n| *n > 0);
            ("Closed the account".to_owned(), None, blasts.map(were_paused))
        }
        "account.reopen" => ("Opened the account again".to_owned(), None, None),
        "account.see_contacts" => ("Saw names and numbers of the account’s contacts".to_owned(), None, None),
        "account.add" => (format!("Added the account “{}”", word(after, "name").unwrap_or_default()), None, None),
        "account.add_api_token" => ("Made a token for the account’s programs".to_owned(), None, word(after, "name")),
        "account.revoke_api_token" => ("Revoked a token of the account’s programs".to_owned(), word(before, "name"), None),
        "account.connect" => ("Connected the account to RingCentral".to_owned(), None, word(after, "base_url")),
        "line.edit" => ("Changed what the line is called".to_owned(), word(before, "label"), word(after, "label")),
        "line.close" => {
            let skipped = after.get("held_now_skipped").and_then(Value::as_i64).filter(|n| *n > 0);
            let blasts = after.get("blasts_paused").and_then(Value::as_i64).filter(|n| *n > 0);
            let told = [skipped.map(became_skipped), blasts.map(were_paused)];
            let told = told.into_iter().flatten().collect::<Vec<_>>().join("; ");
            ("Closed the line and set it to None".to_owned(), type_name(before), Some(told).filter(|told| !told.is_empty()))
        }
        "line.reopen" => ("Opened the line again".to_owned(), None, None),
        "line.edit_responder" => {
            let said = |value: &Value| Some(format!("{}: {}", word(value, "keyword")?, word(value, "reply")?));
            ("Changed an automatic reply".to_owned(), said(before), said(after))
        }
        "line.add" => (format!("Added the line as “{}”", word(after, "label").unwrap_or_default()), None, type_name(after)),
        "line.integration_type" => {
            let skipped = after.get("held_now_skipped").and_then(Value::as_i64).filter(|n| *n > 0);
            let to = type_name(after).map(|to| skipped.map_or_else(|| to.clone(), |n| format!("{to}; {}", became_skipped(n))));
            ("Set the integration type".to_owned(), type_name(before), to)
        }
        "line.transfer" => ("Transferred the line to another account".to_owned(), word(before, "account"), word(after, "account")),
        "line.transfer_done" => {
            ("Finished the line’s transfer: everything of it has moved".to_owned(), word(before, "account"), word(after, "account"))
        }
        "line.access" => {
            let state = |value: &Value| {
                value.get("access").and_then(Value::as_bool).map(|access| if access { "Has access" } else { "No access" }.to_owned())
            };
            (format!("Changed the access of {}", word(after, "person").unwrap_or_default()), state(before), state(after))
        }
        "line.add_responder" => {
            (format!("Added the responder “{}”", word(after, "keyword").unwrap_or_default()), None, word(after, "reply"))
        }
        "line.remove_responder" => {
            (format!("Removed the responder “{}”", word(before, "keyword").unwrap_or_default()), word(before, "reply"), None)
        }
        "line.see_contacts" => ("Saw the numbers of a line’s contacts".to_owned(), None, None),
        "user.edit" => {
            let said = |value: &Value| Some(format!("{}, {}", word(value, "name")?, word(value, "email")?));
            ("Changed a person of the account".to_owned(), said(before), said(after))
        }
        "user.close" => {
            let lines = before.get("lines").and_then(Value::as_array).map_or(0, |lines| i64::try_from(lines.len()).unwrap_or(i64::MAX));
            let lost = (lines > 0).then(|| format!("They lost access to {}", counted(lines, "line", "lines")));
            (format!("Closed the person {}", word(before, "name").unwrap_or_default()), None, lost)
        }
        "user.reopen" => (format!("Opened the person {} again", word(after, "name").unwrap_or_default()), None, None),
        "user.add" => (format!("Added {} to the account", word(after, "name").unwrap_or_default()), None, None),
        "contact.add" => ("Added a contact".to_owned(), None, None),
        "contact.edit" => {
            let changed = after.get("changed").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let changed = changed.collect::<Vec<_>>().join(" and ");
            ("Changed a contact".to_owned(), None, Some(changed).filter(|changed| !changed.is_empty()))
        }
        "contact.close" => ("Closed a contact".to_owned(), None, None),
        "contact.reopen" => ("Opened a contact again".to_owned(), None, None),
        "contact.see" => ("Saw a contact".to_owned(), None, None),
        "contact.see_found" => ("Saw a contact who was searched for".to_owned(), None, None),
        "contact.ask_erasure" => ("Asked for the erasure of a contact".to_owned(), None, word(after, "reference")),
        "contact.see_erasure" => ("Saw the number of a contact who is to be erased".to_owned(), None, None),
        "contact.erase" => {
            let messages = after.get("messages").and_then(Value::as_i64).unwrap_or_default();
            ("Erased a contact".to_owned(), None, Some(counted(messages, "message", "messages")))
        }
        "consent.set" => {
            let state = |value: &Value| word(value, "state")?.parse::<ConsentState>().ok().map(|state| state.name().to_owned());
            let why = word(after, "reason").map(|why| format!(": {why}")).unwrap_or_default();
            ("Set a contact’s consent by hand".to_owned(), state(before), state(after).map(|state| format!("{state}{why}")))
        }
        _ => return None,
    })
}

/// What is done with what is written, and on its way into RingCentral.
#[cfg(feature = "ssr")]
fn of_messages(action: &str, before: &Value, after: &Value) -> Option<Words> {
    Some(match action {
        "blast.pause" => ("Paused a blast before it started".to_owned(), None, None),
        "blast.see" => ("Saw what a blast says, or to whom it went".to_owned(), None, None),
        "blast.take_file" => ("Took the recipients of a blast as a file, with their numbers".to_owned(), None, None),
        "blast.edit" => {
            let starts = |value: &Value| word(value, "starts_at");
            let is_other_text = after.get("text").and_then(Value::as_bool) == Some(true);
            let what = if is_other_text { "Changed what a blast says, before it started" } else { "Changed when a blast starts" };
            let moved = starts(before) != starts(after);
            (what.to_owned(), starts(before).filter(|_| moved), starts(after).filter(|_| moved))
        }
        "blast.cancel" => ("Cancelled a blast before it started".to_owned(), None, None),
        "blast.cancel_rest" => ("Cancelled the rest of a blast that had begun".to_owned(), None, None),
        "blast.resume" => ("Resumed a blast that was paused".to_owned(), None, None),
        "blast.take" => {
            let to = after.get("recipients").and_then(Value::as_i64).unwrap_or_default();
            (format!("Sent a blast to {}", counted(to, "number", "numbers")), None, None)
        }
        "conversation.see" => ("Saw a conversation: the contact’s number and what was written".to_owned(), None, None),
        "conversation.see_found" => ("Saw contacts’ numbers that were searched for".to_owned(), None, None),
        "conversation.find" => {
            let found = after.get("found").and_then(Value::as_i64).unwrap_or_default();
            let found = counted(found, "conversation", "conversations");
            let number = word(after, "number").map(|number| format!("{number}: {found}"));
            ("Searched for a contact by whole number".to_owned(), None, Some(number.unwrap_or(found)))
        }
        "conversation.reply" => ("Replied to a contact as the line".to_owned(), None, None),
        "conversation.take_file" => {
            ("Took a conversation as a file, with the contact’s number and what was written".to_owned(), None, None)
        }
        "conversation.retry" => ("Had a conversation’s deliveries tried at once".to_owned(), None, None),
        "conversation.skip_held" => {
            ("Skipped what was held in a conversation: it is not posted to RingCentral".to_owned(), fields(before), fields(after))
        }
        "conversation.restore_skipped" => ("Restored what was skipped at once in a conversation".to_owned(), fields(before), fields(after)),
        "message.send" => ("Sent a contact a message".to_owned(), None, None),
        "message.skip" => ("Skipped a message: it is not posted to RingCentral".to_owned(), state_name(before), state_name(after)),
        "message.restore" => ("Restored a message that was not posted".to_owned(), state_name(before), state_name(after)),
        "sync.see_contacts" => ("Saw contacts’ numbers in the Sync list".to_owned(), None, None),
        "sync.take_file" => ("Took the Sync list as a file, with contacts’ numbers".to_owned(), None, None),
        "unknown.see" => ("Saw messages to unknown lines".to_owned(), None, None),
        "unknown.take_file" => ("Took messages to unknown lines as a file".to_owned(), None, None),
        "unknown.set_aside" => ("Set aside a number that is no line".to_owned(), None, aside_in_words(after)),
        "unknown.bring_back" => ("Brought back a number that was set aside".to_owned(), aside_in_words(before), None),
        "finding.set_aside" => ("Set aside what was found about the line".to_owned(), None, aside_in_words(after)),
        "finding.bring_back" => ("Brought back what was found about the line".to_owned(), aside_in_words(before), None),
        "connection.pause" => ("Paused the connection to RingCentral".to_owned(), None, None),
        "connection.resume" => ("Resumed the connection to RingCentral".to_owned(), None, None),
        "connection.limits" => {
            let most = |field: Option<&Value>| field.and_then(Value::as_i64).map_or_else(|| "any number".to_owned(), |n| n.to_string());
            let said = |value: &Value| {
                let (minute, day) = (most(value.get("posts_per_minute")), most(value.get("posts_per_day")));
                Some(format!("Posts: {minute} a minute, {day} a day"))
            };
            ("Changed the connection’s limits".to_owned(), said(before), said(after))
        }
        "connection.secrets" => ("Gave the connection new secrets".to_owned(), None, word(after, "client_id")),
        "connection.try_people" => ("Had people looked for in RingCentral again".to_owned(), None, None),
        "connection.remove" => {
            let subscription = word(after, "subscription").map(|ended| format!("Subscription: {ended}"));
            ("Removed the connection to RingCentral".to_owned(), word(before, "client_id"), subscription)
        }
        "utility.start" => ("Started a data utility".to_owned(), None, word(after, "summary")),
        "utility.pause" => ("Paused a data utility".to_owned(), None, word(after, "summary")),
        "utility.resume" => ("Resumed a data utility".to_owned(), None, word(after, "summary")),
        "utility.take_result" => ("Took the result of a data utility as a file, with contacts’ numbers".to_owned(), None, None),
        "utility.cancel" => ("Cancelled a data utility".to_owned(), None, word(after, "summary")),
        _ => return None,
    })
}

/// What staff do among themselves, and what the console keeps watch over.
#[cfg(feature = "ssr")]
fn of_house(action: &str, before: &Value, after: &Value) -> Option<Words> {
    Some(match action {
        "staff.invite" => (format!("Invited {}", word(after, "name").unwrap_or_default()), None, None),
        "staff.accept_invitation" => ("Accepted the invitation and set a password".to_owned(), None, None),
        "staff.disable" => ("Disabled a member of the staff and ended their sessions".to_owned(), None, None),
        "staff.sign_in_fail" => {
            let as_whom = word(after, "name").map_or_else(|| "with an unknown e-mail".to_owned(), |name| format!("as {name}"));
            (format!("Failed to sign in {as_whom}"), None, None)
        }
        "staff.prove_fail" => ("Gave a wrong password or code".to_owned(), None, None),
        "staff.enable" => ("Let a disabled member sign in again".to_owned(), None, None),
        "staff.reset" => {
            let lost = after.get("second_factor_removed").and_then(Value::as_bool) == Some(true);
            let text = if lost { "Made a link to a new password and removed the second factor" } else { "Made a link to a new password" };
            (text.to_owned(), None, None)
        }
        "staff.void_links" => {
            let links = after.get("links").and_then(Value::as_i64).unwrap_or_default();
            let why = word(after, "because").map_or("", |why| match why.as_str() {
                "disabled" => "a member was disabled",
                "more_power" => "their roles allow more since",
                _ => "another was made",
            });
            let what = counted(links, "link that had not been used", "links that had not been used");
            (format!("Made void {what}"), None, Some(why.to_owned()).filter(|why| !why.is_empty()))
        }
        "staff.give_role" => (format!("Gave a member the role {}", word(after, "role").unwrap_or_default()), None, None),
        "staff.take_role" => (format!("Took the role {} from a member", word(before, "role").unwrap_or_default()), None, None),
        "staff.end_sessions" => {
            let ended = after.get("sessions").and_then(Value::as_i64).unwrap_or_default();
            (format!("Ended {}", counted(ended, "session", "sessions")), None, None)
        }
        "staff.change_password" => ("Changed their password".to_owned(), None, None),
        "staff.set_second_factor" => ("Set up a second factor".to_owned(), None, None),
        "staff.remove_second_factor" => ("Removed their second factor".to_owned(), None, None),
        "staff.new_recovery_codes" => ("Made new recovery codes".to_owned(), None, None),
        "staff.sign_in" => {
            let with = after.get("second_factor").and_then(Value::as_bool) == Some(true);
            (if with { "Signed in with a second factor" } else { "Signed in" }.to_owned(), None, None)
        }
        "staff.sign_out" => ("Signed out".to_owned(), None, None),
        "role.add" => (format!("Added the role {}", word(after, "name").unwrap_or_default()), None, None),
        "role.remove" => (format!("Removed the role {}", word(before, "name").unwrap_or_default()), None, None),
        "role.edit" => {
            let text = format!("Changed the role {}", word(before, "name").unwrap_or_default());
            (text, Some(role_in_words(before)), Some(role_in_words(after)))
        }
        "role.second_factor" => {
            let needs = |value: &Value| Some(permissions_in_words(value)).filter(|words| !words.is_empty()).unwrap_or("nothing".to_owned());
            ("Changed what needs a second factor".to_owned(), Some(needs(before)), Some(needs(after)))
        }
        "view.save" => {
            let name = word(after, "name").unwrap_or_default();
            (format!("Saved the view “{name}”"), None, word(after, "role").map(|role| format!("Shared with the role {role}")))
        }
        "view.rename" => ("Renamed a saved view".to_owned(), word(before, "name"), word(after, "name")),
        "view.remove" => (format!("Deleted the saved view “{}”", word(before, "name").unwrap_or_default()), None, None),
        "approval.ask" => ("Asked for a second person".to_owned(), None, word(after, "summary")),
        "approval.approve" => ("Agreed as the second person".to_owned(), word(before, "summary"), word(after, "note")),
        "approval.decline" => ("Declined as the second person".to_owned(), word(before, "summary"), word(after, "note")),
        "approval.withdraw" => ("Took back what waited for a second person".to_owned(), word(before, "summary"), None),
        "access.other_site" => ("A page of another site had a browser send something, and was refused".to_owned(), None, None),
        "access.api_token" => ("A program sent an API token that is no account’s, and was refused".to_owned(), None, None),
        "access.webhook" => ("A program sent a webhook that was not signed as it should be, and was refused".to_owned(), None, None),
        "access.unknown_webhook" => ("A program called a webhook of RingCentral that is none, and was refused".to_owned(), None, None),
        "access.metrics_token" => ("A program sent a wrong token for the figures, and was refused".to_owned(), None, None),
        "access.link" => ("Opened a one-time link that is not good any more, or never was, and was refused".to_owned(), None, None),
        "access.reach" => {
            ("Named what an account has that they do not look after, and was told there is none".to_owned(), None, word(after, "path"))
        }
        "access.refuse" => {
            let permission = word(after, "permission").and_then(|permission| permission.parse::<Permission>().ok());
            let wanted = permission.map_or("open what is not theirs", Permission::sentence);
            (format!("Wanted to {wanted}, and was refused"), None, word(after, "path"))
        }
        "audit.see_numbers" => ("Saw numbers in the audit that were searched for".to_owned(), None, None),
        "audit.cut" => {
            let up_to = after.get("number").and_then(Value::as_i64).unwrap_or_default();
            let kept = after.get("days").and_then(Value::as_i64).map(|days| format!("Kept for {}", counted(days, "day", "days")));
            (format!("Removed the entries up to number {up_to}"), None, kept)
        }
        "retention.set" => ("Set how long personal data is kept".to_owned(), days(before), days(after)),
        _ => return None,
    })
}

#[cfg(feature = "ssr")]
fn became_skipped(messages: i64) -> String {
    format!("{} became skipped", counted(messages, "held message", "held messages"))
}

#[cfg(feature = "ssr")]
fn were_paused(blasts: i64) -> String {
    counted(blasts, "blast was paused", "blasts were paused")
}

/// A role as an entry holds it: its name, where it holds, what it allows.
#[cfg(feature = "ssr")]
fn role_in_words(role: &Value) -> String {
    let scope = match role.get("accounts").and_then(Value::as_array).map(Vec::len) {
        None => "all accounts".to_owned(),
        Some(1) => "one account".to_owned(),
        Some(n) => format!("{n} accounts"),
    };
    format!("{}, on {scope}: {}", word(role, "name").unwrap_or_default(), permissions_in_words(role))
}

/// An account as an entry holds it: its name and products.
#[cfg(feature = "ssr")]
fn account_in_words(account: &Value) -> Option<String> {
    let has = |field: &str| account.get(field).and_then(Value::as_bool) == Some(true);
    let products = [("sends_blasts", "Blast"), ("has_conversations", "Conversation")];
    let products = products.into_iter().filter(|(field, _)| has(field)).map(|(_, name)| name).collect::<Vec<_>>().join(", ");
    let products = if products.is_empty() { "no product" } else { &products };
    Some(format!("{}: {products}", word(account, "name")?))
}

/// What is set aside, and why.
#[cfg(feature = "ssr")]
fn aside_in_words(value: &Value) -> Option<String> {
    let finding = || word(value, "finding")?.parse::<FindingKind>().ok().map(|kind| kind.name().to_owned());
    let what = word(value, "number").or_else(finding)?;
    Some(format!("{what}: {}", word(value, "reason")?))
}

#[cfg(feature = "ssr")]
fn permissions_in_words(value: &Value) -> String {
    let words = value.get("permissions").and_then(Value::as_array);
    let words: Vec<String> = words.into_iter().flatten().filter_map(Value::as_str).map(|word| word.replace('_', " ")).collect();
    words.join(", ")
}

#[cfg(feature = "ssr")]
fn word(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).map(ToOwned::to_owned)
}

#[cfg(feature = "ssr")]
fn type_name(value: &Value) -> Option<String> {
    word(value, "integration_type").map(|of| of.parse::<IntegrationType>().map_or(of, |of| of.name().to_owned()))
}

/// What is kept how long.
#[cfg(feature = "ssr")]
fn days(value: &Value) -> Option<String> {
    let each = [("message_days", "text"), ("held_days", "held"), ("unknown_days", "unknown lines"), ("audit_days", "audit")];
    let said = each.iter().filter_map(|(field, name)| Some(format!("{name}: {}", counted(value.get(field)?.as_i64()?, "day", "days"))));
    let said = said.collect::<Vec<_>>().join(", ");
    value.is_object().then(|| if said.is_empty() { "For good".to_owned() } else { said })
}

/// How far a message was or is on its way into RingCentral, as the conversation says it.
#[cfg(feature = "ssr")]
fn state_name(value: &Value) -> Option<String> {
    let state: EntryState = value.get("state").unwrap_or(value).as_str()?.parse().ok()?;
    Some(state.name().to_owned())
}

/// The fields of an entry that has no words of its own.
#[cfg(feature = "ssr")]
fn fields(value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    Some(fields.iter().map(|(name, value)| format!("{}: {}", name.replace('_', " "), shown(value))).collect::<Vec<_>>().join(", "))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use std::path::Path;

    /// The actions that the services write down: in their source every text of this shape is one.
    fn actions(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("the services' source") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                actions(&path, found);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source file");
            let is_action = |text: &&str| {
                text.split_once('.').is_some_and(|(subject, verb)| {
                    [subject, verb].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
                })
            };
            found.extend(source.split('"').filter(is_action).map(ToOwned::to_owned));
        }
    }

    #[test]
    fn every_action_has_a_sentence() {
        let mut found = Vec::new();
        actions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"), &mut found);
        assert!(found.iter().any(|action| action == "blast.take"), "the actions were found: {found:?}");
        for action in found {
            assert!(sentence(&action, &Value::Null, &Value::Null).is_some(), "{action} has no sentence");
        }
    }

    #[test]
    fn one_of_a_thing_is_told_as_one() {
        let told = |action: &str, after: Value| sentence(action, &Value::Null, &after).expect("a sentence").2;
        let closed = |skipped, paused| told("line.close", serde_json::json!({ "held_now_skipped": skipped, "blasts_paused": paused }));
        assert_eq!(closed(1, 1).as_deref(), Some("1 held message became skipped; 1 blast was paused"));
        assert_eq!(closed(1_200, 2).as_deref(), Some("1,200 held messages became skipped; 2 blasts were paused"));
        assert_eq!(told("account.close", serde_json::json!({ "blasts_paused": 1 })).as_deref(), Some("1 blast was paused"));
        assert_eq!(told("contact.erase", serde_json::json!({ "messages": 1 })).as_deref(), Some("1 message"));
        assert_eq!(told("retention.set", serde_json::json!({ "held_days": 1 })).as_deref(), Some("held: 1 day"));
    }

    #[test]
    fn a_message_is_told_by_its_states() {
        for skipped in [Value::from("skipped"), serde_json::json!({ "state": "skipped", "message": "0198" })] {
            let (_, before, after) = sentence("message.skip", &Value::from("queued"), &skipped).expect("a sentence");
            assert_eq!((before.as_deref(), after.as_deref()), (Some("Queued"), Some("Skipped")));
        }
    }
}
