import ClawWire
import Kafka
import Playground
import ReceiptLog

/// Plays scenes and tells what comes of them.
final class DemoStage {
    private static let patience = Duration.seconds(30)
    let playground: Playground
    private let watch: OutcomeWatch
    private let emit: @Sendable (DemoEvent) -> Void
    private(set) var decisions: [RequestID: DecisionRecord] = [:]
    private var revoked: Set<RequestID> = []
    private var controls: Set<String> = []
    private var deadLetters = 0
    private var expectedDeadLetters = 0
    /// Whether each outcome is told as it comes.
    private var isTelling = true
    private var pending: [Scene] = []
    /// Outcomes of patient scenes that came early.
    private var held: [DemoEvent] = []

    init(_ playground: Playground, emit: @escaping @Sendable (DemoEvent) -> Void) async throws {
        self.playground = playground
        self.emit = emit
        watch = try await OutcomeWatch.start(playground)
    }

    func close() async { await watch.close() }

    /// Sends a scene's records and tells its outcomes.
    func play(_ scene: Scene) async throws {
        emit(DemoEvent(.action, scene.title))
        for (index, delivery) in scene.deliveries.enumerated() {
            try await playground.produce(delivery)
            if scene.waitsBetween, index == 0 {
                try await playground.waitForStatus("the request to wait in the ledger") { $0.waiting > 0 }
                emit(DemoEvent(.finding, "the request waits in the ledger until its approval comes", tone: .aside))
            }
        }
        expectedDeadLetters += scene.deadLetters
        if scene.isPatient {
            pending.append(scene)
        } else {
            try await awaitOutcomes(of: scene)
        }
    }

    /// Waits for what patient scenes have left open, and tells it.
    func playOut() async throws {
        guard !pending.isEmpty else { return }
        emit(DemoEvent(.action, "The requests that nobody else approved have waited for as long as their class allows"))
        let scenes = pending
        pending = []
        for event in held { emit(event) }
        held = []
        emit(DemoEvent(.progress, "waiting for requests to run out of time"))
        for scene in scenes { try await awaitOutcomes(of: scene) }
    }

    private func awaitOutcomes(of scene: Scene) async throws {
        try await listen("the outcome of: \(scene.title)") {
            scene.outcomes.keys.allSatisfy { decisions[$0] != nil } && scene.revocations.isSubset(of: revoked)
                && deadLetters >= expectedDeadLetters
        }
        for (request, outcome) in scene.outcomes where decisions[request]?.outcome != outcome {
            throw PlaygroundError(
                "\(request) was \(decisions[request]?.outcome.rawValue ?? "forgotten") and should have been "
                    + "\(outcome.rawValue): \(decisions[request]?.reasons.first?.detail ?? "")")
        }
    }

    /// Waits until a control event has its result, and tells it.
    func awaitControl(_ operation: String, handle: String) async throws {
        try await listen("the \(operation) of \(handle)") { controls.contains("\(operation) \(handle)") }
    }

    /// Waits until the token of a request is revoked, and tells it.
    func awaitRevocation(of request: RequestID) async throws {
        try await listen("the revocation of \(request)") { revoked.contains(request) }
    }

    /// Listens without telling each outcome, for streams.
    func listenQuietly(_ description: String, until isDone: () async throws -> Bool) async throws {
        isTelling = false
        defer { isTelling = true }
        try await listen(description, until: isDone)
    }

    private func listen(_ description: String, until isDone: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            for heard in try await watch.next() { take(heard) }
            if try await isDone() { return }
            try Task.checkCancellation()
            for worker in playground.workers where !worker.isRunning && worker.exitedByItself {
                throw PlaygroundError("\(worker.name) ended by itself; the end of its log:\n\(worker.logTail())")
            }
            guard ContinuousClock.now < deadline else {
                throw PlaygroundError("gave up after \(Self.patience) of waiting for \(description)")
            }
        }
    }

    private func take(_ heard: OutcomeWatch.Heard) {
        switch heard {
        case .decision(let decision):
            let request = decision.subject.requestID
            if let request { decisions[request] = decision }
            guard isTelling else { return }
            if let request, pending.contains(where: { $0.outcomes[request] != nil }) {
                held.append(Telling.event(decision))
            } else {
                emit(Telling.event(decision))
            }
        case .deadLetter(let letter):
            deadLetters += 1
            if isTelling { emit(Telling.event(letter)) }
        case .control(let result):
            controls.insert("\(result["operation"]?.string ?? "") \(result["stop_id"]?.string ?? "")")
            if isTelling { emit(Telling.event(control: result)) }
        case .revocation(let revocation):
            if let request = revocation.requestID { revoked.insert(request) }
            if isTelling { emit(Telling.event(revocation)) }
        }
    }
}

/// Puts records into words.
enum Telling {
    static func event(_ decision: DecisionRecord) -> DemoEvent {
        let name = decision.subject.requestID?.rawValue ?? decision.subject.approvalIDs.first?.rawValue ?? ""
        var fields: JSONObject = [
            "outcome": .string(decision.outcome.rawValue),
            "reasons": .array(decision.reasons.map { .string($0.code) }), "rule": .string(decision.rule),
        ]
        fields["request_id"] = decision.subject.requestID.map { .string($0.rawValue) }
        fields["job_class"] = decision.subject.jobClass.map { .string($0.rawValue) }
        fields["receipt_id"] = .string(decision.receiptID.rawValue)
        var details = decision.reasons.map { "\($0.code): \($0.detail)" }
        switch decision.outcome {
        case .issued:
            let extent = decision.granted?.extent
            let scope = extent?.scope.joined(separator: " ") ?? ""
            details.insert(
                "approved as \(decision.rule) asks (\(decision.authenticity?.rawValue ?? "unproven") source)", at: 0)
            return DemoEvent(
                .decision, "issued   \(name): \(scope) for \(extent?.ttlSeconds ?? 0) s", details: details, tone: .good,
                fields: fields)
        case .denied:
            return DemoEvent(.decision, "refused  \(name)", details: details, tone: .refused, fields: fields)
        case .expired:
            return DemoEvent(.decision, "expired  \(name)", details: details, tone: .refused, fields: fields)
        }
    }

    static func event(control result: JSONValue) -> DemoEvent {
        let operation = result["operation"]?.string ?? "control"
        let position = result["control_position"]?.integer ?? 0
        var details = [
            "\(result["grants_before"]?.integer ?? 0) grants precede it, not one follows under what it forbids"
        ]
        if let voided = result["voided_tokens"]?.integer, operation == "stop" {
            let tokens = voided == 1 ? "1 live token is" : "\(voided) live tokens are"
            details.append("\(tokens) void by one cut-off; each is revoked by itself behind it")
        }
        return DemoEvent(
            .control,
            "\(operation == "stop" ? "stopped" : "lifted ")  \(result["stop_id"]?.string ?? "") at control position "
                + "\(position), \(result["effective_ms"]?.integer ?? 0) ms after it was read",
            details: details, tone: .refused, fields: ["result": result])
    }

    static func event(_ letter: DeadLetterRecord) -> DemoEvent {
        DemoEvent(
            .deadLetter, "set aside \(letter.origin): \(letter.reason)", details: [letter.detail], tone: .aside,
            fields: ["reason": .string(letter.reason), "origin": .string(letter.origin.description)])
    }

    static func event(_ revocation: RevocationRecord) -> DemoEvent {
        let name = revocation.requestID?.rawValue ?? revocation.tokenHash.hex
        return DemoEvent(
            .revocation, "revoked  the token of \(name)", details: [revocation.reason ?? revocation.cause.rawValue],
            tone: .refused,
            fields: [
                "cause": .string(revocation.cause.rawValue), "token_hash": .string(revocation.tokenHash.hex),
                "request_id": .string(name),
            ])
    }
}
