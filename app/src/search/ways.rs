//! Screens and actions, as the search finds them: those that the member may use.

use super::{Group, Hit, Kind};
use crate::frame::Me;
use switchyard::types::Permission;

/// What a way needs.
enum Needs {
    Nothing,
    One(Permission),
    /// This permission on all accounts.
    Everywhere(Permission),
    /// The simulator, and the permission to send.
    Simulator,
}

use Needs::{Everywhere, Nothing, One, Simulator};

/// Where it leads, what it is called, by which other words it is found, and what it needs.
const WAYS: &[(&str, &str, &str, Needs)] = &[
    ("/", "Home", "start overview needs", Nothing),
    ("/lines", "Lines", "numbers phone", Nothing),
    ("/lines/new", "Add line", "new number", One(Permission::ManageDirectory)),
    ("/lines/types", "Set the type of several lines", "integration bulk", One(Permission::SetIntegrationType)),
    ("/accounts", "Accounts", "clients", Nothing),
    ("/accounts/new", "Add account", "new client", Everywhere(Permission::ManageDirectory)),
    ("/findings", "Findings", "set-up contradictions blast-only", Nothing),
    ("/connections", "Connections", "ringcentral", Nothing),
    ("/connections/new", "Connect an account to RingCentral", "new connection", One(Permission::ManageDirectory)),
    ("/sync", "Sync", "deliveries", One(Permission::SeeMessages)),
    ("/sync?state=stalled", "Stalled conversations", "sync trouble", One(Permission::SeeMessages)),
    ("/sync?state=held", "Held conversations", "sync backlog", One(Permission::SeeMessages)),
    ("/sync/unknown", "Messages to unknown lines", "sync", One(Permission::SeeMessages)),
    ("/sync/find", "Find a contact by number", "conversation", One(Permission::SeeMessages)),
    ("/simulator", "Simulator", "demo phone", Simulator),
    ("/utilities", "Utilities", "data", One(Permission::SeeRuns)),
    ("/utilities/history", "History of runs", "utilities", One(Permission::SeeRuns)),
    ("/utilities/new/line_transfer", "Start a Line Transfer", "move utility", One(Permission::TransferLine)),
    ("/utilities/new/consent_import", "Start a Consent Import", "csv opt-out utility", One(Permission::ImportConsent)),
    ("/utilities/new/v1_migration", "Start a migration from version 1", "export utility", One(Permission::MigrateFromV1)),
    ("/staff", "Staff", "members people", One(Permission::SeeStaff)),
    ("/staff/new", "Invite a member", "new staff", One(Permission::ManageStaff)),
    ("/roles", "Roles", "permissions", One(Permission::SeeStaff)),
    ("/approvals", "Approvals", "decide second person", Nothing),
    ("/audit", "Audit", "history changes", One(Permission::SeeAudit)),
    ("/audit/retention", "How long personal data is kept", "retention", One(Permission::ManagePersonalData)),
    ("/you", "Your account", "password second factor sessions time zone", Nothing),
    ("/ui", "Components", "look design", Nothing),
    (SIGN_OUT, "Sign out", "log leave", Nothing),
];

/// Leads nowhere by itself: who chooses it signs out.
pub const SIGN_OUT: &str = "#sign-out";

/// The screens and actions that fit: each word that was typed begins one of theirs. Without words, the screens.
pub fn ways(me: &Me, text: &str, most: usize) -> Group {
    let text = text.to_lowercase();
    let typed: Vec<&str> = text.split_whitespace().collect();
    let is_open = |needs: &Needs| match needs {
        Nothing => true,
        One(permission) => me.may(*permission),
        Everywhere(permission) => me.may_everywhere(*permission),
        Simulator => me.simulator && me.may(Permission::SendMessages),
    };
    let fits = |title: &str, words: &str| {
        let all = format!("{title} {words}").to_lowercase();
        typed.iter().all(|typed| all.split_whitespace().any(|word| word.starts_with(typed)))
    };
    let found = WAYS.iter().filter(|(_, title, words, needs)| is_open(needs) && fits(title, words));
    let hit = |(href, title, ..): &(&str, &str, &str, Needs)| Hit {
        href: (*href).to_owned(),
        title: (*title).to_owned(),
        detail: String::new(),
        at: None,
    };
    Group { kind: Kind::Way, hits: found.take(most).map(hit).collect(), is_cut: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard::types::{SignedIn, StaffId};

    /// What is found by who has the permissions on some accounts, and those that are `everywhere` on all.
    fn found(permissions: &[Permission], everywhere: &[Permission], text: &str) -> Vec<String> {
        let member = SignedIn {
            id: StaffId(uuid::Uuid::nil()),
            name: String::new(),
            permissions: permissions.to_vec(),
            everywhere: everywhere.to_vec(),
            withheld: Vec::new(),
        };
        let me = Me { member, simulator: false, to_decide: 0, undo: None };
        ways(&me, text, 50).hits.into_iter().map(|hit| hit.title).collect()
    }

    fn titles(permissions: &[Permission], text: &str) -> Vec<String> {
        found(permissions, permissions, text)
    }

    #[test]
    fn each_word_that_is_typed_begins_one_of_the_ways() {
        assert_eq!(titles(&[Permission::TransferLine], "line tr"), ["Start a Line Transfer"]);
        assert_eq!(titles(&[], "SIGN"), ["Sign out"]);
        assert_eq!(titles(&[], "zebra"), [] as [&str; 0]);
    }

    #[test]
    fn only_what_the_member_may_use_is_offered() {
        assert_eq!(titles(&[], "add line"), [] as [&str; 0]);
        assert_eq!(titles(&[Permission::ManageDirectory], "add line"), ["Add line"]);
        assert!(!titles(&[], "").contains(&"Simulator".to_owned()));
        assert_eq!(titles(&[Permission::ManageDirectory], "add account"), ["Add account"]);
        assert_eq!(found(&[Permission::ManageDirectory], &[], "add"), ["Add line"], "an account is added by who looks after all of them");
    }
}
