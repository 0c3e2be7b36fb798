//! From a generic type to the concrete one that it is at run time: the way from generic networks to kernels for known backends.

use std::any::Any;

/// The value as the type that it already has; nothing if it has another.
pub fn same_type<From: 'static, To: 'static>(value: From) -> Option<To> {
    // `Any` downcasts references only; the option lets the value be taken out through one.
    let mut slot = Some(value);
    let slot: &mut dyn Any = &mut slot;
    slot.downcast_mut::<Option<To>>().and_then(Option::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_type_comes_back() {
        assert_eq!(same_type::<Vec<u8>, Vec<u8>>(vec![1, 2]), Some(vec![1, 2]));
        assert_eq!(same_type::<u8, i8>(1), None);
    }
}
