//! What stands above, in and below a list: saved views, columns, sorted heads, chosen rows.

use super::shown::MOMENT;
use super::{Example, Names};
use crate::ui::{Button, Cell, Heads, Look, Pick, Picking, RowLink, Sending, Table, Time};
use crate::views::{columns_form, links, tool};
use leptos::prelude::*;
use switchyard::types::{ListKind, Order, SavedView, ViewField, ViewId};

fn saved(id: u128, name: &str, field: (&str, &str), shared_with: Option<&str>) -> SavedView {
    let fields: Vec<ViewField> = vec![(field.0.to_owned(), field.1.to_owned())];
    let (id, shared_with) = (ViewId(uuid::Uuid::from_u128(id)), shared_with.map(str::to_owned));
    SavedView { id, name: name.to_owned(), fields, shared_with, may_change: true, version: 1 }
}

pub fn lists(names: Names) -> Vec<Example> {
    let views = [
        saved(1, "RingCentral lines", ("type", "ringcentral"), None),
        saved(2, "Front desks", ("q", "front"), Some("Support")),
        saved(3, "Inboxes", ("type", "inbox"), None),
    ];
    let in_use = views[1].id;
    let columns = columns_form(ListKind::Lines, &ListKind::Lines.shown(None), Sending::to_path("/ui"));
    let above = view! {
        {links(views.to_vec(), Memo::new(move |_| Some(in_use)))}
        <div class="flex justify-end">{tool("Columns…", NodeRef::new(), Signal::stored(false), "h-10", columns.into_any())}</div>
    };
    let heads = Heads::from(&["Label", "Changed", "Note"]);
    let heads = heads.sorted("Label", Some(Order::Up), "/ui".to_owned()).sorted("Changed", None, "/ui".to_owned());
    let other = Heads::from(&["Label", "Changed", "Lines"]).numbers(&["Lines"]).sorted("Changed", Some(Order::Down), "/ui".to_owned());
    let row = |label: &'static str, is_chosen: bool| {
        view! {
            <tr role="row">
                <Pick name="row" value=label.to_owned() label=label.to_owned() checked=is_chosen />
                <Cell of="Label">
                    <RowLink href="/ui".to_owned()>{label}</RowLink>
                </Cell>
                <Cell of="Changed">
                    <Time at=MOMENT />
                </Cell>
                <Cell of="Note">"As it is."</Cell>
            </tr>
        }
    };
    let bar = || {
        view! {
            <Button look=Look::Main>"Do it with these"</Button>
        }
    };
    let chosen = view! {
        // Here the bar stays below its table, instead of over whatever the window shows of it.
        <div class="[&_.pick-bar]:static">
            <Picking action="/ui" filter=&[] rows=2 is_part=true id=names.rows bar=bar>
                <div class="panel">
                    <Table label="An example with a chosen row" head=heads>
                        {row("Front desk", true)}
                        {row("Reminders", false)}
                    </Table>
                </div>
            </Picking>
        </div>
    };
    let sorted = view! {
        <div class="panel">
            <Table label="An example sorted the other way" head=other>
                <tr role="row">
                    <Cell of="Label">"Front desk"</Cell>
                    <Cell of="Changed">
                        <Time at=MOMENT />
                    </Cell>
                    <Cell of="Lines" number=true>
                        "1,234"
                    </Cell>
                </tr>
            </Table>
        </div>
    };
    vec![
        ("Saved views, the second in use, and columns", above.into_any()),
        ("Picking: a chosen row and its bar; heads that sort", chosen.into_any()),
        ("Table: sorted the other way, with a column of numbers", sorted.into_any()),
    ]
}
