extension MigrationText {
    /// The log's two signatures under a batch's root by the compatible rule. A batch that was sealed before has none.
    static let signedRoots = """
        ALTER TABLE clawgrant.receipt_batch ADD COLUMN root_signature bytea;
        ALTER TABLE clawgrant.receipt_batch ADD COLUMN statement_signature bytea;
        """
}
