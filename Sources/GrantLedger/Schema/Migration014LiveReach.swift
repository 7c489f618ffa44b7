extension MigrationText {
    /// Live tokens by their agent and by their hash, so that what revokes those of one agent, or one token, does not look
    /// through all that live. An agent's name is as long as its key: the index holds a digest of it, which is no secret.
    static let liveReach = """
        CREATE INDEX request_live_agent ON clawgrant.request ((md5(agent_did)::uuid), expires_at)
            WHERE expires_at IS NOT NULL AND revoked_at IS NULL;
        CREATE INDEX request_live_token ON clawgrant.request (token_hash)
            WHERE expires_at IS NOT NULL AND revoked_at IS NULL;
        """
}
