import ClawWire

/// One forward-only step of the schema.
///
/// A migration that has been released is never edited: its digest stands in the ledger, and a different text under a
/// known number is refused.
public struct Migration: Sendable, Hashable {
    /// Number, dense from 1.
    public let number: Int32
    /// Short name.
    public let name: String
    /// The SQL text, run as one multi-statement query inside one transaction.
    public let sql: String

    /// SHA-256 of the SQL text, lowercase hexadecimal.
    public var digest: String { Digest(hashing: sql).hex }

    /// Every migration, in order.
    public static let all: [Migration] = [
        Migration(number: 1, name: "ledger", sql: MigrationText.ledger),
        Migration(number: 2, name: "append_only", sql: MigrationText.appendOnly),
        Migration(number: 3, name: "partitions_and_archive", sql: MigrationText.partitions),
        Migration(number: 4, name: "control", sql: MigrationText.control),
        Migration(number: 5, name: "usage", sql: MigrationText.usage),
        Migration(number: 6, name: "signed_roots_and_ends", sql: MigrationText.signedRootsAndEnds),
        Migration(number: 7, name: "limits_and_witnesses", sql: MigrationText.limits),
        Migration(number: 8, name: "confirmation", sql: MigrationText.confirmation),
        Migration(number: 9, name: "dead_letters_and_health", sql: MigrationText.deadLettersAndHealth),
        Migration(number: 10, name: "security_events", sql: MigrationText.securityEvents),
        Migration(number: 11, name: "claims", sql: MigrationText.claims),
        Migration(number: 12, name: "origins", sql: MigrationText.origins),
        Migration(number: 13, name: "holder_ends", sql: MigrationText.holderEnds),
        Migration(number: 14, name: "live_reach", sql: MigrationText.liveReach),
        Migration(number: 15, name: "assignments", sql: MigrationText.assignments),
        Migration(number: 16, name: "approval_names", sql: MigrationText.approvalNames),
    ]

    /// Number of the last one: what a schema of this build has.
    public static var latest: Int32 { all.last?.number ?? 0 }
}

enum MigrationText {}
