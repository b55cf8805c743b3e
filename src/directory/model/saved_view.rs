//! Views of lists that people saved for themselves.

/// A view of a list: a name for its filters and its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// The path of the list.
    pub place: String,
    /// The name; unique among those that a user saved of a list.
    pub name: String,
    /// The parameters of the list, as in its address.
    pub query: String,
}
