import ApprovalSources
import ClawWire
import IssuanceRules
import Kafka
import ReceiptLog

/// What arrives in a run, and when.
struct Workload {
    /// A record that is put onto a topic.
    struct Arrival {
        let at: Int64
        let record: ProducerRecord
    }

    /// A control event that somebody types.
    struct Command {
        let at: Int64
        let event: ControlEvent
    }

    /// What must have become of what arrived.
    struct Expectations {
        /// Requests that must be known at the end.
        var requests: Set<RequestID> = []
        /// Requests that may wait for ever.
        var mayWait: Set<RequestID> = []
        /// Requests that nothing can decide but the end of their wait.
        var mayOnlyExpire: Set<RequestID> = []
        /// Stops that must be known at the end.
        var stops: Set<String> = []
        /// Records that nobody can read.
        var poison = 0
    }

    private(set) var arrivals: [Arrival] = []
    private(set) var commands: [Command] = []
    private(set) var expectations = Expectations()
    private let cast: Cast
    private let partitions: Int32
    /// When the last of it comes, in nanoseconds.
    let length: Int64

    private struct Draft {
        let at: Int64
        let event: CloudEvent
        let copies: Int
    }

    private var drafts: [Draft] = []

    /// One of each kind, for small worlds that are to come to every point.
    private static let everything = [0, 15, 8, 18, 7, 13, 12, 11, 9, 15, 10, 0]

    init(
        _ cast: Cast, size: Int, length: Int64, partitions: Int32, kinds: Set<FaultKind>, hasEverything: Bool,
        dice: inout Dice
    ) throws {
        self.cast = cast
        self.length = length
        self.partitions = partitions
        var stops = 0
        for number in 0..<size {
            let at = dice.within(100_000_000...length)
            switch hasEverything ? Self.everything[number % Self.everything.count] : dice.below(20) {
            case 0..<7: contained(number, .run, at, &dice)
            case 7: contained(number, .brief, at, &dice)
            case 8..<11: try reference(number, at, &dice)
            case 11: try window(number, at, &dice)
            case 12: ended(number, at, &dice)
            case 13..<15:
                if kinds.contains(.poison) { poison(number, at, &dice) } else { contained(number, .run, at, &dice) }
            case 15..<18 where stops < 4:
                stops += 1
                try stop(number, at, &dice)
            case 18: try revoke(number, at, &dice)
            default: contained(number, .run, at, &dice)
            }
        }
        try sign(&dice)
        arrivals.sort { $0.at < $1.at }
        commands.sort { $0.at < $1.at }
    }

    private func date(_ at: Int64) -> Timestamp { Timestamp(microseconds: Cast.epoch.microseconds + at / 1_000) }

    private func partition(_ dice: inout Dice) -> Int32 { Int32(dice.below(Int(partitions))) }

    // MARK: Approvals and requests

    private func request(
        _ name: String, _ jobClass: Cast.JobClass, _ at: Int64, _ dice: inout Dice,
        approval: String? = nil, subject: PersonID? = nil
    ) -> CapabilityRequest {
        CapabilityRequest(
            requestID: RequestID("req-\(name)"), jobID: JobID("job-\(name)"),
            jobClass: JobClass(jobClass.rawValue), agentDID: dice.pick(Cast.agents), subject: subject,
            scope: dice.once(in: 15) ? ["proxy:call", "proxy:everything"] : ["proxy:call"],
            ttlSeconds: jobClass == .brief ? 5 : 600, approvalID: approval.map { ApprovalID($0) },
            delivery: dice.once(in: 8)
                ? .sealed(publicKey: cast.jobKey.publicKey) : .reference(claimKey: Cast.claimKey),
            reason: "nightly run", requestedAt: date(at))
    }

    private func decision(
        _ name: String, _ at: Int64, _ dice: inout Dice, verdict: NativeDecision.Verdict = .approved
    ) -> NativeDecision {
        var decision = NativeDecision(
            approvalID: ApprovalID("apr-\(name)"), verdict: verdict, requester: Cast.requester)
        if verdict == .approved || verdict == .denied {
            let isSelf = dice.once(in: 12)
            decision.answers = [
                NativeDecision.Answer(
                    approver: isSelf ? Cast.requester : dice.pick(Cast.approvers), decidedAt: date(at))
            ]
        }
        return decision
    }

    private mutating func post(
        _ decision: NativeDecision, _ id: String, _ at: Int64, delay: Int64 = 0, copies: Int = 1
    ) {
        drafts.append(
            Draft(
                at: at + delay, event: decision.event(id: id, source: Cast.source, at: date(at)), copies: copies))
    }

    private mutating func contained(_ number: Int, _ jobClass: Cast.JobClass, _ at: Int64, _ dice: inout Dice) {
        let name = "c\(number)"
        let verdict: NativeDecision.Verdict = dice.once(in: 8) ? .denied : .approved
        var decision = decision(name, at, &dice, verdict: verdict)
        let request = request(name, jobClass, at, &dice)
        decision.request = CapabilityRequestDocument.encode(request)
        expectations.requests.insert(request.requestID)
        if decision.answers.contains(where: { $0.approver == Cast.requester }) {
            expectations.mayWait.insert(request.requestID)
        }
        post(decision, "evt-\(name)", at, copies: dice.once(in: 4) ? 2 : 1)
        guard dice.once(in: 10) else { return }
        // A second answer that contradicts the first, on its own way.
        var second = self.decision(name, at, &dice, verdict: verdict == .denied ? .approved : .denied)
        second.request = decision.request
        post(second, "evt-\(name)-again", at, delay: dice.within(0...500_000_000))
    }

    private mutating func reference(_ number: Int, _ at: Int64, _ dice: inout Dice) throws {
        let isHasty = dice.once(in: 3)
        let name = "r\(number)"
        let request = request(name, isHasty ? .hasty : .reference, at, &dice, approval: "apr-\(name)")
        expectations.requests.insert(request.requestID)
        put(request, at, &dice)
        guard !dice.once(in: 5) else {
            expectWait(of: request.requestID, isHasty)
            return
        }
        var decision = decision(name, at, &dice, verdict: dice.once(in: 6) ? .denied : .approved)
        // Nobody approves for himself: the request waits for somebody else.
        if decision.answers.contains(where: { $0.approver == Cast.requester }) {
            expectWait(of: request.requestID, isHasty)
        }
        decision.entitlement = Entitlement(
            kind: .group, id: isHasty ? "g-hasty" : "g-ref", scope: "member", name: "ref")
        decision.notBefore = date(at - 1_000_000_000)
        decision.notAfter = date(at + 600_000_000_000)
        // Either side may be first, or both at once.
        let lag = dice.once(in: 3) ? 0 : dice.within(-900_000_000...900_000_000)
        post(decision, "evt-\(name)", max(50_000_000, at + lag), copies: dice.once(in: 4) ? 2 : 1)
    }

    private mutating func expectWait(of request: RequestID, _ isHasty: Bool) {
        if isHasty {
            expectations.mayOnlyExpire.insert(request)
        } else {
            expectations.mayWait.insert(request)
        }
    }

    private mutating func window(_ number: Int, _ at: Int64, _ dice: inout Dice) throws {
        let name = "w\(number)"
        var decision = decision(name, at, &dice)
        let subject = Actor(id: PersonID("sub-\(number)"), name: "sub \(number)")
        decision.subject = subject
        decision.entitlement = Cast.database
        decision.notBefore = date(at - 1_000_000_000)
        decision.notAfter = date(at + 600_000_000_000)
        post(decision, "evt-\(name)", at)
        for copy in 0..<3 {
            let lag = dice.within(-500_000_000...1_500_000_000)
            let request = request(
                "\(name)-\(copy)", .window, max(50_000_000, at + lag), &dice, subject: subject.id)
            expectations.requests.insert(request.requestID)
            // The window covers two.
            expectations.mayWait.insert(request.requestID)
            put(request, max(50_000_000, at + lag), &dice)
        }
    }

    private mutating func ended(_ number: Int, _ at: Int64, _ dice: inout Dice) {
        let name = "e\(number)"
        var decision = decision(name, at, &dice)
        let request = request(name, .run, at, &dice)
        decision.request = CapabilityRequestDocument.encode(request)
        expectations.mayWait.insert(request.requestID)
        expectations.requests.insert(request.requestID)
        post(decision, "evt-\(name)", at)
        var end = decision
        end.verdict = .ended
        end.answers = []
        end.request = nil
        post(end, "evt-\(name)-end", at + 1_000_000, delay: dice.within(0...800_000_000))
    }

    private mutating func put(_ request: CapabilityRequest, _ at: Int64, _ dice: inout Dice) {
        let record = ProducerRecord(
            topic: Cast.requestsTopic, partition: partition(&dice), key: Array(request.jobID.rawValue.utf8),
            value: JSONWriter.bytes(CapabilityRequestDocument.encode(request)),
            timestamp: date(at).milliseconds)
        arrivals.append(Arrival(at: at, record: record))
        if dice.once(in: 6) {
            var copy = record
            copy.partition = partition(&dice)
            arrivals.append(Arrival(at: at + dice.within(0...400_000_000), record: copy))
        }
    }

    private mutating func poison(_ number: Int, _ at: Int64, _ dice: inout Dice) {
        let values: [[UInt8]?] = [
            Array("{\"specversion\":\"1.0\",\"id\":\"x\(number)\"".utf8), [], [0xFF, 0xFE, 0x00], Array("[]".utf8),
            Array("{\"request_id\":\"p\(number)\"}".utf8),
        ]
        let topic = dice.once(in: 2) ? Cast.approvalsTopic : Cast.requestsTopic
        arrivals.append(
            Arrival(
                at: at,
                record: ProducerRecord(
                    topic: topic, partition: partition(&dice), key: nil, value: dice.pick(values),
                    timestamp: date(at).milliseconds)))
        expectations.poison += 1
    }

    /// Signs what was drafted, a few events under one signature, and puts it onto its way.
    private mutating func sign(_ dice: inout Dice) throws {
        drafts.sort { $0.at < $1.at }
        var rest = drafts[...]
        while !rest.isEmpty {
            let part = rest.prefix(16)
            rest = rest.dropFirst(part.count)
            for (draft, event) in zip(part, try cast.approvals.signBatch(part.map(\.event))) {
                let message = event.message(.binary)
                for copy in 0..<draft.copies {
                    let record = ProducerRecord(
                        topic: Cast.approvalsTopic, partition: partition(&dice),
                        key: event.subject.map { Array($0.utf8) }, value: message.value,
                        headers: message.headers.map { KafkaHeader(name: $0.name, value: $0.value) },
                        timestamp: date(draft.at).milliseconds)
                    arrivals.append(
                        Arrival(at: draft.at + (copy == 0 ? 0 : dice.within(0...2_000_000_000)), record: record))
                }
            }
        }
    }

    // MARK: Control

    private func scope(_ dice: inout Dice) -> StopScope {
        switch dice.below(4) {
        case 0: StopScope(kind: .all, value: nil)
        case 1: StopScope(kind: .agent, value: dice.pick(Cast.agents).rawValue)
        default: StopScope(kind: .jobClass, value: dice.pick(Cast.JobClass.allCases).rawValue)
        }
    }

    private mutating func put(
        _ operation: ControlOperation, id: String, by people: [Actor], _ at: Int64, _ dice: inout Dice
    ) throws {
        if dice.once(in: 4) {
            commands.append(
                Command(
                    at: at,
                    event: ControlEvent(
                        id: ControlEventID(id), declaredAt: date(at), declaredBy: people,
                        origin: .ledger(by: people[0].id), operation: operation)))
            return
        }
        let record = try cast.control.record(
            operation, id: id, by: people, at: date(at), topic: Cast.controlTopic)
        let produced = ProducerRecord(
            topic: Cast.controlTopic, partition: 0, key: record.key, value: record.value,
            headers: record.headers.map { KafkaHeader(name: $0.name, value: $0.value) },
            timestamp: date(at).milliseconds)
        arrivals.append(Arrival(at: at, record: produced))
        if dice.once(in: 4) { arrivals.append(Arrival(at: at + dice.within(0...900_000_000), record: produced)) }
    }

    private mutating func stop(_ number: Int, _ at: Int64, _ dice: inout Dice) throws {
        let id = "stop-\(number)"
        expectations.stops.insert(id)
        let scope = scope(&dice)
        try put(
            .stop(.init(stopID: id, scope: scope, revokesLive: dice.once(in: 2))), id: id, by: [Cast.guards[0]], at,
            &dice)
        guard !dice.once(in: 3) else { return }
        // The authority of a lift is younger than its stop.
        let later = at + dice.within(200_000_000...2_000_000_000)
        let name = "l\(number)"
        var decision = NativeDecision(
            approvalID: ApprovalID("apr-\(name)"), verdict: .approved, requester: Cast.requester)
        decision.answers = [NativeDecision.Answer(approver: Cast.approvers[0], decidedAt: date(later))]
        let request = request(name, .run, later, &dice)
        decision.request = CapabilityRequestDocument.encode(request)
        expectations.requests.insert(request.requestID)
        post(decision, "evt-\(name)", later)
        try put(
            .lift(.init(stopID: id, reapproval: decision.approvalID, policyHash: nil)), id: "lift-\(number)",
            by: [Cast.guards[1], Cast.guards[2]], later + dice.within(100_000_000...900_000_000), &dice)
    }

    private mutating func revoke(_ number: Int, _ at: Int64, _ dice: inout Dice) throws {
        let operation: ControlOperation
        switch dice.below(5) {
        case 0: operation = .disableElevated(.init(reach: .everywhere, revokesLive: dice.once(in: 2)))
        case 1: operation = .drill(.init(drillID: "drill-\(number)", scope: scope(&dice)))
        case 2:
            operation = .rotatePolicy(
                .init(
                    jobClass: JobClass(Cast.JobClass.brief.rawValue), from: nil,
                    to: Digest(hashing: "policy \(number)"), running: .revoke))
        default:
            let other = dice.below(max(1, number))
            operation = .revoke(
                .init(
                    revocationID: "rev-\(number)",
                    scope: StopScope(
                        kind: dice.once(in: 2) ? .job : .request, value: "\(dice.once(in: 2) ? "job" : "req")-c\(other)"
                    ),
                    permitsReapproval: false))
        }
        try put(operation, id: "op-\(number)", by: [Cast.guards[0]], at, &dice)
    }
}
