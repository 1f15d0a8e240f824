//! The YAML parser's own errors, in words for people who write profiles.

use granit_parser::ErrorKind;

/// What is wrong, and what to write instead.
#[must_use]
pub fn in_plain_words(kind: &ErrorKind) -> (String, String) {
    let (message, remedy) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            ("a tab stands where YAML wants blanks", "indent with blanks, not with tabs")
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            ("a quote is opened and never closed", "close the quote, or double it if it belongs to the text")
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape => (
            "a backslash in double quotes starts an escape that does not exist",
            "write the text in single quotes: 'DOM\\user'",
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("something follows the closing quote", "put the whole text into the quotes")
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => (
            "a bracket or brace does not match, or a comma is missing",
            "close every `[` with `]` and every `{` with `}`, with commas between the entries",
        ),
        ErrorKind::DirectiveDisallowed => ("a line that starts with `%` is a YAML directive", "remove the line"),
        ErrorKind::BomInsideDocument => {
            ("an invisible byte order mark stands in the text", "remove it, or type the line anew")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("the character `{}` may not stand here", character.escape_default());
            return (message, "put the text in quotes, or remove the character".to_owned());
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::InvalidIndentation => (
            "this line does not fit the lines above it",
            "write `key: value`, with a blank after the colon, and indent it like its neighbours",
        ),
        other => {
            let message = format!("this is not YAML: {other}");
            return (
                message,
                "look at this line and the one above it; put text with special characters in quotes".to_owned(),
            );
        }
    };
    (message.to_owned(), remedy.to_owned())
}
