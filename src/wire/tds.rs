//! TDS packets and PRELOGIN (MS-TDS 2.2).
