//! Deliveries to receivers of their own.
