public import ApprovalSources
public import ClawWire
public import IssuanceRules
public import Kafka

/// A capability request that is still being written.
public struct RequestDraft: Sendable, Hashable {
    /// Identifies the request.
    public var requestID: RequestID
    /// The job.
    public var jobID: JobID
    /// The job's class, which need not be one of the playground's.
    public var jobClass: JobClass
    /// The agent.
    public var agentDID = PlaygroundCast.agent
    /// The person on whose entitlement it rests.
    public var subject: PersonID?
    /// Scope asked for.
    public var scope = ["proxy:call"]
    /// Elevated actions asked for.
    public var actions: [String] = []
    /// Lifetime asked for, in seconds.
    public var ttlSeconds: Int64? = 600
    /// The WPC.
    public var policyHash: Digest?
    /// The approval, by id.
    public var approvalID: ApprovalID?
    /// The approval, by ticket.
    public var ticketNumber: String?
    /// Where to deliver.
    public var delivery: CapabilityRequest.Delivery
    /// The earlier request whose token is replaced.
    public var upgradesRequest: RequestID?
    /// Why.
    public var reason = "scheduled run"
    /// When it was made.
    public var requestedAt: Timestamp

    /// A request of a class for a token sealed to the playground's job, named by one text: `req-NAME` and `job-NAME`.
    public init(_ name: String, _ jobClass: PlaygroundClass, in playground: Playground, at time: Timestamp) {
        requestID = RequestID("req-\(name)")
        jobID = JobID("job-\(name)")
        self.jobClass = jobClass.name
        policyHash = playground.policies[jobClass]
        delivery = .sealed(publicKey: playground.keys.job.publicKey)
        requestedAt = time
    }

    /// The request.
    public var request: CapabilityRequest {
        CapabilityRequest(
            requestID: requestID, jobID: jobID, jobClass: jobClass, agentDID: agentDID, subject: subject, scope: scope,
            actions: actions, ttlSeconds: ttlSeconds, policyHash: policyHash, approvalID: approvalID,
            ticketNumber: ticketNumber, delivery: delivery, upgradesRequest: upgradesRequest, reason: reason,
            requestedAt: requestedAt)
    }

    /// The request as JSON.
    public var json: JSONValue { CapabilityRequestDocument.encode(request) }

    /// The request as a signed record of the requests topic, keyed by its job.
    ///
    /// - Throws: what the signer throws.
    public func record(signedBy signer: NativeEventSigner) throws -> ProducerRecord {
        ProducerRecord(
            topic: PlaygroundTopic.requests, key: Array(jobID.rawValue.utf8), value: JSONWriter.bytes(json),
            headers: [
                KafkaHeader(
                    name: CloudEvent.signatureExtension, value: Array(try signer.signature(of: json).utf8))
            ])
    }
}
