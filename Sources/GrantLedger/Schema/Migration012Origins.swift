extension MigrationText {
    /// What led to the effects of a group, and the trace that an approval came with: for metrics and traces, and nothing
    /// else. Builds from before leave both empty and do not read them.
    static let origins = """
        ALTER TABLE clawgrant.effect_group ADD COLUMN origins bytea;
        ALTER TABLE clawgrant.approval ADD COLUMN trace bytea;
        ALTER TABLE clawgrant_archive.approval ADD COLUMN trace bytea;
        """
}
