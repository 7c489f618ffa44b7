public import ClawWire

/// The producer's side: signs events, one by one or as a batch.
public struct NativeEventSigner: Sendable {
    private let signer: any Ed25519Signer

    /// Signs with a key that the reading side lists for its source.
    public init(_ signer: any Ed25519Signer) { self.signer = signer }

    /// The event with its signature in the extension `clawsig`.
    ///
    /// - Throws: what the signer throws.
    public func sign(_ event: CloudEvent) throws -> CloudEvent {
        var event = event
        event.extensions[CloudEvent.batchExtension] = nil
        event.extensions[CloudEvent.signatureExtension] = .string(
            try DetachedSignature.sign(event.canonicalBytes, with: signer))
        return event
    }

    /// The events, each with the one signature of the batch in the extension `clawbatch`.
    ///
    /// Batches of more than ``BatchSignature/maximumSize`` events become several.
    ///
    /// - Throws: what the signer throws.
    public func signBatch(_ events: [CloudEvent]) throws -> [CloudEvent] {
        var signed: [CloudEvent] = []
        signed.reserveCapacity(events.count)
        var start = 0
        while start < events.count {
            let end = min(events.count, start + BatchSignature.maximumSize)
            let part = events[start..<end]
            start = end
            guard let tree = BatchTree(part.map(\.digest)) else { continue }
            let signature = try signer.sign(BatchSignature.signedBytes(tree.root))
            for (index, event) in part.enumerated() {
                var event = event
                event.extensions[CloudEvent.signatureExtension] = nil
                event.extensions[CloudEvent.batchExtension] = .string(
                    BatchSignature(
                        root: tree.root, signature: signature, kid: signer.publicKey.did, index: index,
                        size: tree.size, path: tree.path(to: index)
                    ).text)
                signed.append(event)
            }
        }
        return signed
    }

    /// The value of the header `clawsig` for a bare JSON document, for example a capability request: a signature over
    /// its RFC 8785 text.
    ///
    /// - Throws: what the signer throws.
    public func signature(of document: JSONValue) throws -> String {
        try DetachedSignature.sign(JSONWriter.bytes(document, order: .canonical), with: signer)
    }
}
