//! Buttons, fields, confirmations: what one acts with.

use super::shown::MOMENT;
use super::{Example, Names};
use crate::fault::Fault;
use crate::lines::{AccountChoice, Choosing, Offered};
use crate::sign_in::Prove;
use crate::ui::{
    Asking, Button, ButtonLink, Check, Choice, ConfirmFold, CopyText, CsvLink, Dialog, EditFold, Field, FilterBar, FormFault, Look,
    MomentField, Search, Select, Sending, TextArea, UploadForm, fault_of, look_again, query_field, toast, waits,
};
use leptos::context::Provider;
use leptos::prelude::*;
use switchyard::types::{AccountId, AccountRow, Problem};

const LOOKS: [(Look, &str); 4] =
    [(Look::Main, "The one thing"), (Look::Plain, "One of several"), (Look::Quiet, "In a row"), (Look::Danger, "No way back")];

fn choices() -> Vec<Choice> {
    vec![Choice::new("inbox", "Inbox"), Choice::new("ringcentral", "RingCentral"), Choice::new("none", "None")]
}

fn wrong(text: &str) -> Signal<Option<String>> {
    Signal::stored(Some(text.to_owned()))
}

pub fn forms(names: Names) -> Vec<Example> {
    let buttons = LOOKS.map(|(look, name)| view! { <Button look=look>{name}</Button> }).collect_view();
    let pending = LOOKS.map(|(look, name)| view! { <Button look=look pending=Signal::stored(true)>{name}</Button> }).collect_view();
    let links = LOOKS.map(|(look, name)| view! { <ButtonLink look=look href="/ui">{name}</ButtonLink> }).collect_view();
    let fields = view! {
        <div class="grid gap-4 sm:grid-cols-2">
            <Field label="Plain" name=names.plain value="Front desk" />
            <Field label="With help" name=names.helped help="As staff will search for it." />
            <Field label="Wrong" name=names.wrong value="12" help="With the country." error=wrong("This is no phone number.") />
            <Field label="May stay empty" name=names.optional optional=true />
            <TextArea label="Several lines" name=names.area value="Thank you.\nWe answer soon." />
            <TextArea label="Several lines, wrong" name=names.wrong_area error=wrong("Write at most 1,000 characters.") />
            <Select label="One of a list" name=names.choice choices=choices() value="ringcentral".to_owned() />
            <Select label="One of a list, wrong" name=names.wrong_choice choices=choices() error=wrong("The account has no connection.") />
            <MomentField label="A moment" name=names.moment help="Empty: now." error=wrong("Write a moment, or nothing for now.") />
            <MomentField label="A day" name=names.day day="2026-11-21" />
            <Check label="Chosen" name=names.checked checked=true />
            <Check label="Not chosen" name=names.unchecked />
        </div>
    };
    let fault = |problem: Problem| Signal::stored(Some(Fault(problem)));
    let faults = view! {
        <FormFault fault=fault(Problem::Conflict { text: "Somebody changed this line meanwhile. Look at it again.".to_owned() }) />
        // Of several on a page only the latest asks.
        <Provider value=Asking::by(Sending::to::<Prove>())>
            <FormFault fault=fault(Problem::Unproven) />
        </Provider>
        <FormFault fault=fault(Problem::too_many_until("The connection has no call to spare.", MOMENT)) />
    };
    let folds = view! {
        <div class="flex flex-wrap gap-6">
            <ConfirmFold label="Remove" of="an example">
                "What it does."
            </ConfirmFold>
            <ConfirmFold label="Skip" of="an example" quiet=true>
                "What it does."
            </ConfirmFold>
            <ConfirmFold label="Close" of="an example" plain=true>
                "What it does."
            </ConfirmFold>
            <EditFold label="Edit" of="an example">
                "Its form."
            </EditFold>
        </div>
    };
    let filters = view! {
        <FilterBar>
            <Search label="Number or label" name=names.search value=query_field(names.search) />
            <div class="w-40">
                <Select label="Type" name=names.filter choices=choices() value=query_field(names.filter) bare=true />
            </div>
        </FilterBar>
    };
    let send = Sending::to_path("/ui");
    let upload = view! {
        <UploadForm action=send to="/ui".to_owned()>
            <div class="flex flex-col items-start gap-3">
                <FormFault fault=fault_of(send) />
                <label for=names.file class="font-medium">
                    "File"
                </label>
                <input id=names.file name=names.file type="file" accept=".csv" required=true class="file-input w-full" />
                <Button pending=waits(send)>"Send"</Button>
            </div>
        </UploadForm>
    };
    let open = RwSignal::new(false);
    let over = view! {
        <div class="flex flex-wrap gap-2">
            <button type="button" class="btn btn-sm h-9 border-base-300 bg-base-100 text-sm font-medium" on:click=move |_| open.set(true)>
                "Open the dialog"
            </button>
            <button type="button" class="btn btn-sm h-9 border-base-300 bg-base-100 text-sm font-medium" on:click=move |_| toast("The line was changed.")>
                "Show a toast"
            </button>
        </div>
        <Dialog title="A dialog" open=open>
            "What it says."
        </Dialog>
    };
    let row = |view: AnyView| view! { <div class="flex flex-wrap items-center gap-2">{view}</div> }.into_any();
    vec![
        ("Button", row(buttons.into_any())),
        ("Button, its answer awaited", row(pending.into_any())),
        ("ButtonLink", row(links.into_any())),
        ("CsvLink", row(view! { <CsvLink href="/ui" /> }.into_any())),
        ("Field, TextArea, Select, MomentField, Check", fields.into_any()),
        ("FilterBar, Search", filters.into_any()),
        ("UploadForm", upload.into_any()),
        ("FormFault", faults.into_any()),
        ("ConfirmFold, EditFold", folds.into_any()),
        ("Dialog, toast", over.into_any()),
        (
            "CopyText",
            view! { <CopyText label="The link" text="https://console.example.com/invitation?token=example".to_owned() /> }.into_any(),
        ),
    ]
}

/// What is found for a form, and what is found to have changed beside it.
pub fn finding(names: Names) -> Vec<Example> {
    let account = |n: u128, name: &str| AccountRow {
        id: AccountId(uuid::Uuid::from_u128(n)),
        name: name.to_owned(),
        sends_blasts: true,
        has_conversations: true,
        lines: 0,
        connected: false,
        closed_at: None,
    };
    let rows = vec![account(1, "Lakeside Dental"), account(2, "Northwind Outfitters")];
    let first = Offered { rows, is_part: true, kept: None };
    let choice = view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label for=names.account class="font-medium">
                "Account"
            </label>
            <AccountChoice choosing=Choosing::of(names.account, true) first=first name=names.account none="Choose an account…" />
        </div>
    };
    let late = Problem::conflict("Somebody changed this line meanwhile. Look at it again.");
    let action = Sending::to_path("/ui").answered(Err(Fault(late)));
    let again = view! { <div class="flex">{look_again(action, RwSignal::new(0))}</div> };
    vec![("AccountChoice: more than are offered", choice.into_any()), ("After a conflict", again.into_any())]
}
