//! Loading what a screen shows: by the server with the page, and by the browser when what was asked for changes.
//!
//! leptos' own `Resource` is compiled anew for each type it holds, some 2 kB compressed each; here one resource holds them all,
//! and only reading out the value knows its type.

use crate::Fault;
use leptos::prelude::*;
use leptos::server::codee::{Decoder, Encoder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use switchyard::types::Problem;

/// What was loaded: as text where it came with the page, as a value where the browser has loaded it.
#[derive(Clone)]
enum Held {
    Text(Arc<str>),
    #[cfg(not(feature = "ssr"))]
    Value(Arc<dyn Any + Send + Sync>),
}

/// How it travels within the page: as the text it is.
struct AsText;

impl Encoder<Held> for AsText {
    type Error = Infallible;
    type Encoded = String;

    fn encode(held: &Held) -> Result<String, Infallible> {
        Ok(match held {
            Held::Text(text) => text.to_string(),
            #[cfg(not(feature = "ssr"))]
            Held::Value(_) => String::new(),
        })
    }
}

impl Decoder<Held> for AsText {
    type Error = Infallible;
    type Encoded = str;

    fn decode(text: &str) -> Result<Held, Infallible> {
        Ok(Held::Text(text.into()))
    }
}

/// What is asked for, whatever its type: loaded anew when it is no longer equal.
#[derive(Clone)]
struct Asked {
    value: Arc<dyn Any + Send + Sync>,
    equal: fn(&(dyn Any + Send + Sync), &(dyn Any + Send + Sync)) -> bool,
    again: u32,
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.again == other.again && (self.equal)(&*self.value, &*other.value)
    }
}

/// Grows when everything that is shown is to be loaded anew.
#[derive(Clone, Copy)]
struct Again(RwSignal<u32>);

/// How much of what the screen shows is under way.
#[derive(Debug, Clone)]
pub struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    /// Whether the screen still shows what was asked for before.
    pub fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn counted(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.0))
    }
}

/// Counts as under way until it is there, or is not waited for any more.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes [`load_again`] reach what is loaded below this point, and [`UnderWay`] know of it.
pub fn provide_again() {
    provide_context(Again(RwSignal::new(0)));
    provide_context(UnderWay(Arc::new(AtomicUsize::new(0))));
}

/// Loads what the screen shows anew.
pub fn load_again() {
    if let Some(Again(again)) = use_context() {
        again.update(|again| *again += 1);
    }
}

type Loading = Pin<Box<dyn Future<Output = Held> + Send>>;

/// What is being loaded, or was. Await it within a `Suspend`.
pub struct Loaded<T: 'static> {
    held: Resource<Held, AsText>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

impl<T> std::fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loaded")
    }
}

/// What can say that it did not arrive.
pub trait Lost {
    /// The value that says so.
    fn lost() -> Self;
}

impl<T> Lost for Result<T, Fault> {
    fn lost() -> Self {
        Err(Problem::unavailable("The page and the program do not fit together, as after an update. Reload the page.").into())
    }
}

impl<A: Default, T> Lost for (A, Result<T, Fault>) {
    fn lost() -> Self {
        (A::default(), Result::lost())
    }
}

impl<T: Lost + Clone + DeserializeOwned + Send + Sync> IntoFuture for Loaded<T> {
    type Output = T;
    type IntoFuture = Pin<Box<dyn Future<Output = T> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let held = self.held;
        Box::pin(async move { take(held.await) })
    }
}

fn take<T: Lost + Clone + DeserializeOwned + 'static>(held: Held) -> T {
    let value = match held {
        Held::Text(text) => serde_json::from_str(&text).ok(),
        #[cfg(not(feature = "ssr"))]
        Held::Value(value) => value.downcast_ref::<T>().cloned(),
    };
    value.unwrap_or_else(T::lost)
}

/// Loads with `read` what `asked` asks for, and anew each time that changes.
pub fn load<K, T, F>(asked: impl Fn() -> K + Send + Sync + 'static, read: impl Fn(K) -> F + Send + Sync + 'static) -> Loaded<T>
where
    K: Clone + PartialEq + Send + Sync + 'static,
    T: Lost + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let equal = |a: &(dyn Any + Send + Sync), b: &(dyn Any + Send + Sync)| match (a.downcast_ref::<K>(), b.downcast_ref::<K>()) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    };
    let again = use_context::<Again>();
    let asked = move || Asked { value: Arc::new(asked()), equal, again: again.map_or(0, |Again(again)| again.get()) };
    let read = move |asked: Asked| -> Loading {
        let loading = asked.value.downcast_ref::<K>().cloned().map(&read);
        Box::pin(async move {
            let value = match loading {
                Some(loading) => loading.await,
                None => T::lost(),
            };
            #[cfg(feature = "ssr")]
            let held = Held::Text(serde_json::to_string(&value).unwrap_or_default().into());
            #[cfg(not(feature = "ssr"))]
            let held = Held::Value(Arc::new(value));
            held
        })
    };
    Loaded { held: resource(Box::new(asked), Box::new(read)), of: PhantomData }
}

fn resource(asked: Box<dyn Fn() -> Asked + Send + Sync>, read: Box<dyn Fn(Asked) -> Loading + Send + Sync>) -> Resource<Held, AsText> {
    let under_way = use_context::<UnderWay>();
    let read = move |asked: Asked| -> Loading {
        let (loading, counted) = (read(asked), under_way.as_ref().map(UnderWay::counted));
        Box::pin(async move {
            let held = loading.await;
            drop(counted);
            held
        })
    };
    // Blocking: what was loaded decides the status and the headers of the page.
    ArcResource::new_with_options(asked, read, true).into()
}
