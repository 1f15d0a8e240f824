//! SMB2 NEGOTIATE and friends (MS-SMB2 2.2).
