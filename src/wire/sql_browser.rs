//! SQL Server Browser messages (MC-SQLR 2.2).
