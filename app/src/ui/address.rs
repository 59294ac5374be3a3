//! What the address of a screen names.

use crate::Fault;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::Problem;

/// What the path's `:id` names; `None` for what is no id.
pub fn id_of_path<T: std::str::FromStr + Send + Sync + PartialEq + 'static>() -> Memo<Option<T>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("id").and_then(|id| id.parse().ok())))
}

/// The answer for a path that names nothing.
pub fn mistyped() -> Fault {
    Problem::not_found("There is nothing at this address. It may be mistyped.").into()
}
