//! Values by the position of a record, a layer or a blob.
//!
//! A position without a value has the default. So no lookup fails.

/// A value for each position.
#[derive(Clone)]
pub(crate) struct ByPosition<T>(Vec<T>);

impl<T: Copy + Default> ByPosition<T> {
    /// The default for each of `len` positions.
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![T::default(); len])
    }

    pub(crate) fn get(&self, position: usize) -> T {
        self.0.get(position).copied().unwrap_or_default()
    }

    /// The values of all positions.
    pub(crate) fn into_values(self) -> Vec<T> {
        self.0
    }

    /// Sets the value of a position and gives the former one.
    pub(crate) fn replace(&mut self, position: usize, value: T) -> T {
        if position >= self.0.len() {
            self.0.resize(position + 1, T::default());
        }
        self.0.get_mut(position).map_or(value, |slot| std::mem::replace(slot, value))
    }

    /// Sets the value of a position.
    pub(crate) fn set(&mut self, position: usize, value: T) {
        self.replace(position, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_without_a_value_has_the_default_and_the_list_grows() {
        let mut values = ByPosition::<u8>::new(1);
        assert_eq!((values.get(0), values.get(9)), (0, 0));
        assert_eq!((values.replace(9, 7), values.replace(9, 8)), (0, 7));
        values.set(0, 1);
        assert_eq!((values.get(0), values.get(5), values.get(9)), (1, 0, 8));
    }
}
