//! Faults on purpose, for tests only: a process can be told to die at a named point, and a guard can be taken out, so that a
//! test can show that the guard matters. In a release build both are compiled to nothing.

/// What keeps the deliveries right; a test takes one out and must see the verdict turn red.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The intent is committed before the call.
    Intent,
    /// After an ambiguous end the reference is looked up before anything is posted again.
    LookUp,
    /// The look-up waits for the settle time.
    Settle,
    /// A stale holder's writes touch no row.
    Fence,
    /// One lane, one holder.
    LaneLock,
    /// Our own posts, which come back as events, are known by their reference and are not sent to the contact.
    Echo,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Intent, Self::LookUp, Self::Settle, Self::Fence, Self::LaneLock, Self::Echo];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::LookUp => "look-up",
            Self::Settle => "settle",
            Self::Fence => "fence",
            Self::LaneLock => "lane-lock",
            Self::Echo => "echo",
        }
    }
}

impl std::str::FromStr for Guard {
    type Err = crate::types::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|guard| guard.name() == text).ok_or_else(|| crate::types::UnknownWord(text.to_owned()))
    }
}

/// Dies here, as by SIGKILL, if the environment's `SWITCHYARD_DIE_AT` names this point. Debug builds only.
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("SWITCHYARD_DIE_AT").is_ok_and(|at| at == name) {
        // No destructors, no flushing: what a crash leaves.
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Hangs here, as a machine that is suspended, if the environment's `SWITCHYARD_HANG_AT` says so: `<point>:<n>:<file>` makes the file when
/// it comes here for the nth time, and goes on when the file is gone. Debug builds only.
pub async fn hang(name: &str) {
    #[cfg(debug_assertions)]
    {
        static TIMES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let told = std::env::var("SWITCHYARD_HANG_AT").unwrap_or_default();
        let mut words = told.splitn(3, ':');
        let (point, n, file) = (words.next(), words.next().and_then(|n| n.parse::<u64>().ok()), words.next());
        if let (Some(n), Some(file)) = (n, file)
            && point == Some(name)
            && TIMES.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == n
            && std::fs::write(file, name).is_ok()
        {
            while std::path::Path::new(file).exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// What keeps the runs of utilities right; a test takes one out and must see the verdict turn red.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UtilityGuard {
    /// A batch and its checkpoint commit together.
    Checkpoint,
    /// A stale worker's writes touch no row.
    Fence,
    /// What resets or restores consent never touches who has opted out.
    OptOutMerge,
    /// From the flip on the line's account alone decides: lanes and their workers follow at once.
    Scope,
}

impl UtilityGuard {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Checkpoint, Self::Fence, Self::OptOutMerge, Self::Scope];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Fence => "fence",
            Self::OptOutMerge => "opt-out-merge",
            Self::Scope => "scope",
        }
    }
}

impl std::str::FromStr for UtilityGuard {
    type Err = crate::types::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|guard| guard.name() == text).ok_or_else(|| crate::types::UnknownWord(text.to_owned()))
    }
}
