package import ApprovalSources
package import ClawWire
package import IssuanceRules

/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum BridgeReaders {
    /// The events that the bridge would write for a body's facts; `nil` when it refuses the body.
    package static func events(of facts: [Fact], kind: SourceConfiguration.Kind, at now: Timestamp) -> [CloudEvent]? {
        let evidence = WebhookEvidence(
            source: "fuzz", kind: kind.rawValue, delivery: "fuzz", key: "fuzz", bodyDigest: Digest(hashing: "body"),
            receivedAt: now)
        let translation = NativeTranslation(eventSource: "https://bridge.harborline.example/fuzz", evidence: evidence)
        return (try? translation.events(of: facts))?.map(\.event)
    }
}
