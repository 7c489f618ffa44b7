import ApprovalSources
import ArgumentParser
import ClawWire
import Foundation
import IssuanceRules

/// `clawgrant request`: asks for a token.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Publish a capability request: ask for a token for a job.",
        discussion: """
            The token comes back on the grants topic, sealed to the delivery key: make one with \
            --generate-delivery-key FILE, and open the grant with `clawgrant token open --key FILE`.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("The job that the token is for.", valueName: "id"))
    var job: String

    @Option(name: .customLong("class"), help: ArgumentHelp("Its class in the rules.", valueName: "name"))
    var jobClass: String

    @Option(help: ArgumentHelp("The agent that runs it.", valueName: "did"))
    var agent: String

    @Option(help: ArgumentHelp("A scope to ask for; may be repeated.", valueName: "scope"))
    var scope: [String]

    @Option(help: ArgumentHelp("An elevated action to ask for; may be repeated.", valueName: "name"))
    var action: [String] = []

    @Option(help: ArgumentHelp("A tool that the job will use; may be repeated.", valueName: "name"))
    var tool: [String] = []

    @Option(help: ArgumentHelp("An audience to ask for; may be repeated.", valueName: "name"))
    var audience: [String] = []

    @Option(name: .customLong("ttl"), help: ArgumentHelp("The lifetime to ask for.", valueName: "seconds"))
    var ttlSeconds: Int64?

    @Option(name: .customLong("wpc"), help: ArgumentHelp("Hash of the WPC to pin.", valueName: "hash"))
    var policyHash: String?

    @Option(help: ArgumentHelp("The approval that it rests on.", valueName: "id"))
    var approval: String?

    @Option(help: ArgumentHelp("The ticket whose approval it rests on.", valueName: "number"))
    var ticket: String?

    @Option(help: ArgumentHelp("The person whose active entitlement it rests on.", valueName: "id"))
    var subject: String?

    @Option(help: ArgumentHelp("The earlier request whose token this one replaces.", valueName: "request-id"))
    var upgrades: String?

    @Option(help: ArgumentHelp("Why, for people.", valueName: "text"))
    var reason: String = ""

    @Option(help: ArgumentHelp("The request's id; default: a fresh one.", valueName: "id"))
    var id: String?

    @Option(
        name: .customLong("generate-delivery-key"),
        help: ArgumentHelp("Make the job's key in this new file and seal the token to it.", valueName: "file"),
        completion: .file())
    var newDeliveryKey: String?

    @Option(
        name: .customLong("delivery-key"),
        help: ArgumentHelp("Seal the token to this X25519 key: a JWK file or base64url.", valueName: "key"))
    var deliveryKey: String?

    @Option(
        name: .customLong("claim-key"),
        help: ArgumentHelp(
            "Leave the token to be claimed over HTTP with the key of this JWK thumbprint.", valueName: "jkt"))
    var claimKey: String?

    @Flag(help: "Ask for the token in the clear; a job class must allow it by name.")
    var plain = false

    @Option(
        name: .customLong("sign-key"),
        help: ArgumentHelp("Sign with this Ed25519 key.", valueName: "file"), completion: .file())
    var signKey: String?

    @Option(
        name: .customLong("event-source"),
        help: ArgumentHelp("The CloudEvents source.", valueName: "uri"))
    var eventSource: String = "/clawgrant/cli"

    @Option(help: ArgumentHelp("The topic; default: that of the rules' one source of requests.", valueName: "name"))
    var topic: String?

    @Flag(name: .customLong("print"), help: "Print the event and publish nothing.")
    var isPrinted = false

    mutating func validate() throws {
        let deliveries = [newDeliveryKey != nil, deliveryKey != nil, claimKey != nil, plain].count { $0 }
        guard deliveries == 1 else {
            throw ValidationError("give one of --generate-delivery-key, --delivery-key, --claim-key and --plain")
        }
        guard claimKey.map({ Digest(b64u: $0) != nil }) ?? true else {
            throw ValidationError("--claim-key takes a JWK thumbprint (RFC 7638): 43 characters of base64url")
        }
        guard !scope.isEmpty else { throw ValidationError("give at least one --scope") }
    }

    mutating func run() async throws {
        // What can be refused is refused before a key is made.
        _ = try request(delivery: .plain)
        let delivery: CapabilityRequest.Delivery
        if let newDeliveryKey {
            delivery = .sealed(publicKey: try KeyArguments.makeDeliveryKey(newDeliveryKey))
        } else if let deliveryKey {
            delivery = .sealed(publicKey: try KeyArguments.deliveryPublicKey(deliveryKey))
        } else if let claimKey {
            delivery = .reference(claimKey: Digest(b64u: claimKey))
        } else {
            delivery = .plain
        }
        let request = try request(delivery: delivery)
        var event = CloudEvent(
            id: request.requestID.rawValue, source: eventSource, type: EventType.capabilityRequest,
            subject: request.requestID.rawValue, time: request.requestedAt,
            data: .json(CapabilityRequestDocument.encode(request)))
        event = try RecordPublishing.signed(event, key: signKey)
        guard !isPrinted else {
            Console.out(event.structuredJSON)
            return
        }
        let file = try source.load()
        let topic = try RecordPublishing.topic(topic, kind: .capabilityRequest, file)
        let record = try await RecordPublishing.publish(
            event, key: request.requestID.rawValue, topic: topic, file)
        RecordPublishing.tell(
            record, what: "the request", id: request.requestID.rawValue, isJSON: output.isJSON,
            next: "see what becomes of it with `clawgrant explain \(request.requestID)`")
    }

    /// The request as the reading side would take it.
    private func request(delivery: CapabilityRequest.Delivery) throws -> CapabilityRequest {
        var hash: Digest?
        if let policyHash {
            guard let digest = Digest(b64u: policyHash) else {
                throw CommandFailure.usage("--wpc \"\(policyHash)\" is not a hash: 43 characters of base64url")
            }
            hash = digest
        }
        let request = CapabilityRequest(
            requestID: RequestID(id ?? RecordPublishing.identifier("req-")), jobID: JobID(job),
            jobClass: JobClass(jobClass), agentDID: AgentDID(agent), subject: subject.map { PersonID($0) },
            scope: scope, actions: action, tools: tool, audience: audience, ttlSeconds: ttlSeconds, policyHash: hash,
            approvalID: approval.map { ApprovalID($0) }, ticketNumber: ticket, delivery: delivery,
            upgradesRequest: upgrades.map { RequestID($0) }, reason: reason.isEmpty ? nil : reason,
            requestedAt: Clock.now)
        do {
            _ = try CapabilityRequestDocument.decode(CapabilityRequestDocument.encode(request))
        } catch {
            throw CommandFailure.usage("the request would be refused: \(error)")
        }
        return request
    }
}
