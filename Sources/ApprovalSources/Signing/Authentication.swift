import ClawWire
import IssuanceRules

/// Checks what a source demands as proof.
struct Authentication {
    /// What an event wants to do, for the rights of the key.
    enum Action {
        case approve, request, stop, lift

        var name: String {
            switch self {
            case .approve: "approve"
            case .request: "request"
            case .stop: "stop"
            case .lift: "lift"
            }
        }
    }

    let configuration: SourceConfiguration

    /// Proves an event by its canonical text and digest; the signer is returned where a key proved it.
    func prove(
        _ event: CloudEvent, _ canonical: [UInt8], _ digest: Digest, signatures: inout BatchSignatureCache
    ) throws(SourceFault) -> (evidence: AuthenticityEvidence, signer: SourceConfiguration.Signer?) {
        switch configuration.authenticity {
        case .topic: return (.topic, nil)
        case .confirmed: return (.confirmationNeeded, nil)
        case .signed: break
        }
        if case .string(let text) = event.extensions[CloudEvent.signatureExtension] {
            return try prove(text, over: canonical)
        }
        guard case .string(let text) = event.extensions[CloudEvent.batchExtension] else {
            throw SourceFault(.unsigned, "the event has neither clawsig nor clawbatch")
        }
        let batch = try BatchSignature(text: text)
        let signer = try listed(batch.kid, field: CloudEvent.batchExtension)
        guard batch.includes(digest) else {
            throw SourceFault(
                .batchProofInvalid, field: CloudEvent.batchExtension,
                "the path does not lead from the event to the root")
        }
        guard signatures.isValid(batch, key: signer.publicKey) else {
            throw SourceFault(
                .signatureInvalid, field: CloudEvent.batchExtension, "the root is not signed by \(signer.publicKey.did)"
            )
        }
        return (.signed(by: signer.publicKey, form: .batch), signer)
    }

    /// Proves a bare document by the header `clawsig`.
    func prove(
        _ document: JSONValue, in record: SourceRecord
    ) throws(SourceFault) -> (evidence: AuthenticityEvidence, signer: SourceConfiguration.Signer?) {
        switch configuration.authenticity {
        case .topic: return (.topic, nil)
        case .confirmed: return (.confirmationNeeded, nil)
        case .signed: break
        }
        guard let header = record.header(CloudEvent.signatureExtension) else {
            throw SourceFault(.unsigned, "the record has no header clawsig")
        }
        return try prove(
            String(decoding: header.prefix(DetachedSignature.maximumBytes + 1), as: UTF8.self),
            over: JSONWriter.bytes(document, order: .canonical))
    }

    private func prove(
        _ compact: String, over payload: [UInt8]
    ) throws(SourceFault) -> (evidence: AuthenticityEvidence, signer: SourceConfiguration.Signer?) {
        let signature = try DetachedSignature(compact: compact)
        let signer = try listed(signature.kid, field: CloudEvent.signatureExtension)
        guard signature.isValid(for: payload, key: signer.publicKey) else {
            throw SourceFault(
                .signatureInvalid, field: CloudEvent.signatureExtension,
                "the signature is not that of \(signer.publicKey.did) over this event")
        }
        return (.signed(by: signer.publicKey, form: .event), signer)
    }

    func listed(_ kid: String, field: String) throws(SourceFault) -> SourceConfiguration.Signer {
        guard let signer = configuration.signer(named: kid) else {
            throw SourceFault(.unknownSigner, field: field, "the key is not listed for source \(configuration.name)")
        }
        return signer
    }

    /// Checks that key and source may do this for a job class; `nil` is a class that cannot be told.
    func authorize(
        _ action: Action, jobClass: JobClass?, signer: SourceConfiguration.Signer?
    ) throws(SourceFault) {
        if let signer {
            let allowed =
                switch action {
                case .approve: signer.mayApprove
                case .request: signer.mayRequest
                case .stop: signer.mayStop
                case .lift: signer.mayLift
                }
            guard allowed else {
                throw SourceFault(.signerNotAllowed, "key \(signer.publicKey.kid) may not \(action.name)")
            }
        }
        switch action {
        case .stop, .lift: return
        case .approve, .request: break
        }
        if let classes = signer?.jobClasses {
            guard let jobClass else {
                throw SourceFault(
                    .jobClassUnknown, "the key is limited to job classes and the event's class cannot be told")
            }
            guard classes.contains(jobClass) else {
                throw SourceFault(.signerNotAllowed, "the key may not \(action.name) job class \(jobClass)")
            }
        }
        if let classes = configuration.jobClasses, let jobClass, !classes.contains(jobClass) {
            throw SourceFault(
                .jobClassNotAllowed, "source \(configuration.name) may not \(action.name) job class \(jobClass)")
        }
    }
}
