//! Tests of `sql_browser`.
